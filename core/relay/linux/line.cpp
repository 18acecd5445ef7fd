// SPDX-License-Identifier: MIT
#include "relay/line.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

namespace snakepit::shm::relay {

Line::Line(End end, Handle in, Handle out)
    : end_(end),
      in_(std::move(in)),
      out_(std::move(out)),
      reader_(end == End::far ? End::near : End::far) {
    for (const auto* handle : {&in_, &out_})
        ::fcntl(handle->get(), F_SETFL, ::fcntl(handle->get(), F_GETFL) | O_NONBLOCK);
    if (end_ == End::near) return;
    append_preamble(queue_, end_);
    said_ = true;
}

Result<bool> Line::receive() {
    if (!come_.empty()) return true;  // first what has come before
    std::array<char, 2 * kChunk> buffer;
    const auto got = ::read(in_.get(), buffer.data(), buffer.size());
    if (got > 0) come_.assign(buffer.data(), static_cast<std::size_t>(got));
    if (got < 0 && errno != EAGAIN && errno != EINTR)
        return fail(system_error(errno, "cannot read from the line"));
    return got != 0;
}

Result<std::optional<Frame>> Line::next() {
    for (;;) {
        std::string_view rest(come_);
        reader_.take(rest);
        come_.erase(0, come_.size() - rest.size());
        SHM_ASSIGN(auto frame, reader_.next());
        if (!frame) {
            if (come_.empty()) return frame;
            continue;
        }
        if (frame->kind != FrameKind::ping) return frame;
        send(FrameKind::pong, 0, frame->payload);
    }
}

void Line::send(FrameKind kind, std::uint32_t stream, std::string_view payload) {
    if (!std::exchange(said_, true)) append_preamble(queue_, end_);
    append_frame(queue_, kind, stream, payload);
}

Result<bool> Line::flush() {
    while (sent_ < queue_.size()) {
        const auto wrote = ::write(out_.get(), queue_.data() + sent_, queue_.size() - sent_);
        if (wrote >= 0) {
            sent_ += static_cast<std::size_t>(wrote);
        } else if (errno == EAGAIN) {
            break;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return false;
        } else if (errno != EINTR) {
            return fail(system_error(errno, "cannot write to the line"));
        }
    }
    queue_.erase(0, std::exchange(sent_, 0));
    return true;
}

}  // namespace snakepit::shm::relay
