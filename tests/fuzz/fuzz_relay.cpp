// SPDX-License-Identifier: MIT
// What the other end of a relay may send: the first byte says which end it is, and in which steps
// the rest arrives.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "relay/fields.h"
#include "relay/frames.h"

using namespace snakepit::shm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    relay::FrameReader reader((data[0] & 1U) != 0 ? relay::End::near : relay::End::far);
    const std::size_t step = 1 + (data[0] >> 1U);
    std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    while (!bytes.empty()) {
        auto piece = bytes.substr(0, step);
        bytes.remove_prefix(piece.size());
        for (;;) {
            reader.take(piece);
            const auto frame = reader.next();
            if (!frame && frame.error().message.empty()) std::abort();
            if (!frame) return 0;
            if (!*frame) break;
            if ((*frame)->payload.size() > relay::kMaxPayload) std::abort();
            if (const auto fields = relay::Fields::decode((*frame)->payload))
                if (relay::Fields::decode(fields->encode())->all("word") != fields->all("word"))
                    std::abort();
        }
        if (!piece.empty()) std::abort();  // it keeps a frame, and takes the rest
    }
    return 0;
}
