// SPDX-License-Identifier: MIT
// Converts frames to and from the plain structures that flatc generates from control.fbs.
#pragma once

#include <span>

#include "base/region.h"
#include "base/result.h"
#include "control_generated.h"

namespace snakepit::shm {

// What a client and a manager have to agree on: the messages, except for fields that were added at
// the end, and the layout and meaning of lease pages, signal pages and rings.
inline constexpr std::uint32_t kProtocolVersion = 2;
// The maximum of regions in one Cleanup, so that the answer fits into a frame.
inline constexpr std::size_t kMaxCleanupItems = 200;

// protocol_error if the frame is not a well-formed Request (or Reply) of a known kind. Decoding
// never reads outside the frame, whatever its bytes are.
Result<wire::RequestT> decode_request(std::span<const std::byte> frame);
Result<wire::ReplyT> decode_reply(std::span<const std::byte> frame);

// Encodes one frame at a time; its bytes are valid until the next. Reuses its memory. One thread.
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
// Nothing is a region that does not exist.
inline RegionId from_wire(const std::unique_ptr<wire::RegionKey>& key) {
    return key ? from_wire(*key) : RegionId{};
}
inline wire::RegionKey to_wire(const RegionId& id) {
    return {id.micros, id.random};
}

wire::FailureT to_wire(const Error& error);
Error from_wire(const wire::FailureT& failure);
wire::RegionT to_wire(const RegionInfo& info);
RegionInfo from_wire(const wire::RegionT& region);
wire::LockedRegionT to_wire(const RegionLocks& locks);
RegionLocks from_wire(const wire::LockedRegionT& region);
wire::AllocateT to_wire(std::uint64_t size, const RegionOptions& options);
// invalid_argument if a number is not a value of its enumeration, if the metadata is too long, or
// if the name cannot be one.
Result<RegionOptions> from_wire(const wire::AllocateT& call);
wire::CleanupT to_wire(const CleanupRequest& request);
CleanupRequest from_wire(const wire::CleanupT& call);
wire::CleanedT to_wire(const CleanupResult& result);
// The result of a cleanup is sent in pages.
void add_from_wire(CleanupResult& result, const wire::CleanedT& page);

}  // namespace snakepit::shm
