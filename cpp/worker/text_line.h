// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>
#include <string.h>
#include <unistd.h>

namespace chiphost::worker {

// One line of text, made where nothing may be allocated: in a signal handler. What does not fit is left out.
class TextLine {
public:
    TextLine& add(const char* text) { return add(text, text ? strlen(text) : 0); }

    TextLine& add(const char* text, size_t bytes) {
        const size_t room = sizeof text_ - 1 - used_;  // for the end of the line
        if (bytes > room) bytes = room;
        memcpy(text_ + used_, text, bytes);
        used_ += bytes;
        return *this;
    }

    // Adds a text of anybody's, such as a file's name: what is no printable ASCII becomes "\x1b", so that it can do
    // nothing to a terminal, and every reader can decode it.
    TextLine& add_printable(const char* text, size_t bytes) {
        for (size_t i = 0; i < bytes; ++i) {
            const auto byte = static_cast<unsigned char>(text[i]);
            if (byte >= 0x20 && byte < 0x7F) {
                add(text + i, 1);
                continue;
            }
            const char digits[] = "0123456789abcdef";
            const char escaped[] = {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
            add(escaped, sizeof escaped);
        }
        return *this;
    }

    TextLine& add_number(int64_t number) {
        if (number < 0) add("-");
        return add_digits(number < 0 ? uint64_t{0} - static_cast<uint64_t>(number) : static_cast<uint64_t>(number), 10);
    }

    TextLine& add_hex(uint64_t number) {
        add("0x");
        return add_digits(number, 16);
    }

    // The text with the end of the line; lent.
    const char* finished(size_t* out_bytes) {
        text_[used_] = '\n';
        *out_bytes = used_ + 1;
        return text_;
    }

    // In one piece if the system takes it.
    void write(int file) {
        size_t bytes = 0;
        finished(&bytes);
        for (size_t done = 0; done < bytes;) {
            const ssize_t written = ::write(file, text_ + done, bytes - done);
            if (written <= 0) return;  // there is nobody to tell
            done += static_cast<size_t>(written);
        }
    }

private:
    TextLine& add_digits(uint64_t number, uint32_t base) {
        char digits[24];
        size_t at = sizeof digits;
        do {
            digits[--at] = "0123456789abcdef"[number % base];
            number /= base;
        } while (number != 0);
        return add(digits + at, sizeof digits - at);
    }

    char text_[512];
    size_t used_ = 0;
};

}  // namespace chiphost::worker
