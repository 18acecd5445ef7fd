// SPDX-License-Identifier: MIT
#include "platform/linux/kernel_text.h"

namespace snakepit::shm {

std::string unescaped(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '\\' || at + 3 >= text.size()) {
            out += text[at];
            continue;
        }
        int value = 0;
        for (int digit = 0; digit < 3; ++digit) value = value * 8 + (text[++at] - '0');
        out += static_cast<char>(value);
    }
    return out;
}

}  // namespace snakepit::shm
