// SPDX-License-Identifier: MIT
// Frames of the control socket, as a hostile client sends them and as a hostile service answers.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "protocol/messages.h"

using namespace snakepit::shm;

namespace {

// What is understood must survive being sent again.
void check_request(std::span<const std::byte> frame) {
    const auto request = decode_request(frame);
    if (!request) return;
    Encoder encoder;
    const auto again = encoder.encode(*request);
    if (!decode_request(again)) std::abort();
    if (const auto* call = request->call.AsAllocate()) static_cast<void>(from_wire(*call));
}

void check_reply(std::span<const std::byte> frame) {
    const auto reply = decode_reply(frame);
    if (!reply) return;
    Encoder encoder;
    const auto again = encoder.encode(*reply);
    if (!decode_reply(again)) std::abort();
    if (const auto* failure = reply->answer.AsFailure())
        static_cast<void>(from_wire(*failure).sentence());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto frame = std::as_bytes(std::span(data, size));
    check_request(frame);
    check_reply(frame);
    return 0;
}
