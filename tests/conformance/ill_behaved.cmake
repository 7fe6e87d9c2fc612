# Platforms that the program that runs the suite has to put up with.

# Prints what looks like a report, throws what is no exception, ends the process, never returns.
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

# More than there is room for.
add_variant(too_many_clusters chip "24,                   // clusters" "41,")

# conformance.def: no such test, one that passes, and one that a line above has named.
add_variant(wrongly_listed conformance_library "#include \"conformance.def\""
    "CH_FAILS(\"memory.unheard_of\", \"reason 1\") CH_FAILS(\"copies.nothing\", \"reason 2\")
    CH_UNSUPPORTED(\"copies.*\", \"reason 3\")")
