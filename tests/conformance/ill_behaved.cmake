# Platforms that the program that runs the suite has to put up with.

# This device prints what looks like a report, throws a value that is no exception, ends the process, or never returns.
add_variant(ill_behaved device
    "    auto device = std::make_unique<Device>(options);" "    printf(\"{\\\"id\\\": \\\"printed\\\"}\\n\"), fflush(stdout);
    if (options.device_memory_bytes != 0) throw 42;
    auto device = std::make_unique<Device>(options);"
    "    delete device;" "    while (device) usleep(1000);"
    "    return device->allocate(bytes, true, out_address, out_error);" "    if (bytes != 0) abort();
    return device->allocate(bytes, true, out_address, out_error);"
    "#include <string.h>" "#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>")

# This chip has more clusters than there is room for.
add_variant(too_many_clusters chip "24,                   // clusters" "41,")

# This conformance.def lists a test that does not exist, one that passes, and one that a line above has named.
add_variant(wrongly_listed conformance_library "#include \"conformance.def\""
    "CH_FAILS(\"memory.unheard_of\", \"reason 1\") CH_FAILS(\"copies.nothing\", \"reason 2\")
    CH_UNSUPPORTED(\"copies.*\", \"reason 3\")")
