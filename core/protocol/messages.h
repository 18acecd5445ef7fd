// SPDX-License-Identifier: MIT
// Frames to and from the plain structures that flatc makes of control.fbs.
#pragma once

#include <span>

#include "base/region.h"
#include "base/result.h"
#include "control_generated.h"

namespace snakepit::shm {

inline constexpr std::uint32_t kProtocolVersion = 1;
// Regions named in one Cleanup, so that the answer fits a frame.
inline constexpr std::size_t kMaxCleanupItems = 200;

// A frame that is not a well-formed Request (or Reply) of known kinds is protocol_error; whatever
// its bytes are, decoding reads none outside it.
Result<wire::RequestT> decode_request(std::span<const std::byte> frame);
Result<wire::ReplyT> decode_reply(std::span<const std::byte> frame);

// Makes frames, one at a time: the bytes are valid until the next one. Keeps its memory. One
// thread.
class Encoder {
  public:
    std::span<const std::byte> encode(const wire::RequestT& request);
    std::span<const std::byte> encode(const wire::ReplyT& reply);

  private:
    flatbuffers::FlatBufferBuilder builder_;
};

inline RegionId from_wire(const wire::RegionKey& key) {
    return {key.micros(), key.random()};
}
inline wire::RegionKey to_wire(const RegionId& id) {
    return {id.micros, id.random};
}

wire::FailureT to_wire(const Error& error);
Error from_wire(const wire::FailureT& failure);
wire::RegionT to_wire(const RegionInfo& info);
RegionInfo from_wire(const wire::RegionT& region);
wire::AllocateT to_wire(std::uint64_t size, const RegionOptions& options);
// invalid_argument when a number names no value of its kind, or the metadata is too long.
Result<RegionOptions> from_wire(const wire::AllocateT& call);
wire::CleanupT to_wire(const CleanupRequest& request);
CleanupRequest from_wire(const wire::CleanupT& call);
wire::CleanedT to_wire(const CleanupResult& result);
// A cleanup's answer comes in pages.
void add_from_wire(CleanupResult& result, const wire::CleanedT& page);

}  // namespace snakepit::shm
