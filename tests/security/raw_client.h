// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <random>
#include <span>

#include "layout/lease_page.h"
#include "platform/channel.h"
#include "platform/mapped_file.h"
#include "protocol/messages.h"

// A connection that is bound to no manners: what it sends and what it does with the answer is its
// user's business.
class RawClient {
  public:
    // Invalid when it could not be had.
    static RawClient open(const std::string& socket, bool lease);

    bool valid() const { return channel_.valid(); }
    snakepit::shm::Channel& channel() { return channel_; }
    // The file behind the lease page, which is ours to spoil.
    const snakepit::shm::Handle& page_file() const { return page_file_; }
    std::byte* page() const { return page_.data(); }

    // The answer to it, or none within the time.
    std::optional<snakepit::shm::wire::ReplyT> ask(snakepit::shm::wire::RequestT request,
                                                   int timeout_ms = 2000);
    bool send(std::span<const std::byte> frame, std::span<const int> handles = {});
    // Throws away what has come.
    void drain();
    // What came with the last answer.
    snakepit::shm::Handle take_handle();

  private:
    snakepit::shm::Channel channel_;
    snakepit::shm::Frame frame_;
    snakepit::shm::Encoder encoder_;
    snakepit::shm::Handle page_file_;
    snakepit::shm::Mapping page_;
    std::uint64_t requests_ = 0;
};
