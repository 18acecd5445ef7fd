// SPDX-License-Identifier: MIT
#pragma once

#include <utility>  // before Asio 1.74, which forgets it

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <memory>
#include <optional>

#include "platform/channel.h"
#include "platform/locked_memory.h"
#include "protocol/messages.h"
#include "regions/region_service.h"

namespace snakepit::shm {

class Server;

// One connection. It answers one request at a time and reads the next only when the answer to the
// last has left: a client that sends without reading delays only itself, and no queue grows.
// Service thread only.
class ClientConnection : public std::enable_shared_from_this<ClientConnection> {
  public:
    ClientConnection(Server& server, boost::asio::io_context& io, Channel channel,
                     Credentials credentials, std::shared_ptr<const Identity> identity);
    ~ClientConnection();

    void start();
    // Sends the error, if there is room in the socket, and ends the connection.
    void refuse_and_close(const Error& error);
    void close();
    // Goes on reading where it was held back.
    void wait_readable();

    const Caller& caller() const { return caller_; }
    bool greeted() const { return greeted_; }

  private:
    void on_readable();
    void handle(const Frame& frame);
    // Whether the process that connected sent it.
    bool of_caller(const Frame& frame) const;
    void refuse_stranger(const Credentials& sender);
    // The process that connected sent it, under other ids.
    void refuse_changed(const wire::RequestT& request, const Credentials& sender);
    void dispatch(wire::RequestT request);
    void greet(std::uint64_t id, const wire::HelloT& hello);
    void allocate(std::uint64_t id, const wire::AllocateT& call);
    std::function<void(Result<Grant>)> answer_allocation(std::uint64_t id);
    void seal(std::uint64_t id, const RegionId& region);
    void wait_until_settled(wire::RequestT request, const RegionId& id);
    void list(std::uint64_t id, const wire::ListT& call);
    void clean(std::uint64_t id, const wire::CleanupT& call);
    // connection_administration.cpp. False: the request is not about
    // policies or the manager itself.
    bool administration_call(std::uint64_t id, const wire::RequestT& request);
    void set_policy(std::uint64_t id, const wire::SetPolicyT& call);
    void answer_document(std::uint64_t id, Result<std::string> json);
    // connection_locks.cpp. False: the request is not about locks.
    bool lock_call(std::uint64_t id, const wire::RequestT& request);
    void answer_lock(std::uint64_t id, const Result<LockReply>& reply);
    void locks(std::uint64_t id, const wire::LocksT& call);
    void release_locks(std::uint64_t id, const wire::ReleaseLocksT& call);
    // connection_events.cpp. False: the request is not about signals or events.
    bool event_call(std::uint64_t id, const wire::RequestT& request);
    void answer_signal(std::uint64_t id, Result<SignalGrant> grant);
    void answer_events(std::uint64_t id);
    // False: the request is not about alerts.
    bool alert_call(std::uint64_t id, const wire::RequestT& request);
    // connection_encryption.cpp. False: the request is not about encrypted regions.
    bool encryption_call(std::uint64_t id, const wire::RequestT& request);
    void read_encrypted(std::uint64_t id, const wire::EncryptedReadT& call);
    void report_encrypted(std::uint64_t id, const RegionId& region);

    template <typename T>
    void answer(std::uint64_t id, T value, Handle handle = {}) {
        wire::ReplyT reply;
        reply.id = id;
        reply.answer.Set(std::move(value));
        send_reply(reply, std::move(handle));
    }
    // The callback of an operation whose result may come later. Until then nothing more is read.
    template <typename F>
    auto later(F answer_with) {
        busy_ = true;
        return [weak = weak_from_this(), answer_with](auto&&... result) {
            const auto self = weak.lock();
            if (!self || !self->channel_.valid()) return;
            self->busy_ = false;
            answer_with(*self, std::forward<decltype(result)>(result)...);
            self->wait_readable();
        };
    }
    void answer_done(std::uint64_t id, const Status& done);
    void send_reply(const wire::ReplyT& reply, Handle handle);
    void answer_error(std::uint64_t id, const Error& error);
    void answer_grant(std::uint64_t id, Result<Grant> granted);
    void send(std::span<const std::byte> bytes, Handle handle);
    bool sent(std::span<const std::byte> bytes, const Handle& handle);
    void wait_writable();

    Server& server_;
    Channel channel_;
    boost::asio::posix::stream_descriptor watch_;
    boost::asio::steady_timer deadline_;  // for the greeting
    Caller caller_;
    bool greeted_ = false;
    bool waiting_ = false;  // for the socket to become readable
    bool busy_ = false;     // an answer is being made
    // The region of the last answer, until the client shows that it had it: slot and generation.
    std::optional<std::pair<std::uint32_t, std::uint64_t>> unclaimed_;
    struct Outgoing {
        Outgoing(std::span<const std::byte> frame, Handle passed)
            : bytes(frame.begin(), frame.end()), handle(std::move(passed)) {}
        Outgoing(Outgoing&&) noexcept = default;
        Outgoing& operator=(Outgoing&&) noexcept = default;
        ~Outgoing() { wipe(bytes); }  // there may be a key in it
        std::vector<std::byte> bytes;
        Handle handle;
    };
    std::optional<Outgoing> outgoing_;  // an answer the socket has no room for
};

}  // namespace snakepit::shm
