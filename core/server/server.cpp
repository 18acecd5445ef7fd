// SPDX-License-Identifier: MIT
#include "server/server.h"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "platform/process.h"

namespace snakepit::shm {

namespace {

// Clients with lease pages, and as many that only read.
constexpr std::size_t kMaxConnections = std::size_t{2} * layout::kMaxClients;
constexpr int kAcceptAtOnce = 32;  // then those who are connected get their turn
constexpr auto kPauseWithoutDescriptors = std::chrono::milliseconds(100);
constexpr int kPatientPauses = 10;
// Probes until a client that lost its connection counts as disconnected, not as ending: 15 ms,
// 255 ms and 2 s. On a busy system a dying process can stop for long between its sockets and its
// locks.
constexpr int kLivingProbes = 4, kUnknownProbes = 8, kEndingProbes = 11;

int probes_until_disconnected(const Handle& process, std::int64_t pid) {
    if (!process) return kUnknownProbes;
    const auto info = inspect_process(process, pid);
    if (!info) return kUnknownProbes;
    return info->ending ? kEndingProbes : kLivingProbes;
}

// For people; empty where they are the same as the effective ones, or not known.
std::string other_ids_of(const Caller& caller) {
    const auto& ids = caller.identity->other_ids();
    const auto [pid, uid, gid] = caller.credentials;
    if (!ids || (ids->real_uid == uid && ids->saved_uid == uid && ids->real_gid == gid &&
                 ids->saved_gid == gid))
        return {};
    return fmt::format("uid {}/{}, gid {}/{}", ids->real_uid, ids->saved_uid, ids->real_gid,
                       ids->saved_gid);
}

// `number`: the process's own limit was met, or the system's.
Error no_descriptors(int number) {
    if (number == ENFILE)
        return make_error(ErrorCode::client_limit_exceeded,
                          "the system has no descriptor left for another connection",
                          "end programs that have many open, or raise fs.file-max");
    return make_error(ErrorCode::client_limit_exceeded,
                      "the manager has as many descriptors open as it may have, and none for "
                      "another connection",
                      "close connections that are not needed, or raise the limit (LimitNOFILE=)");
}

}  // namespace

Server::Server(boost::asio::io_context& io, ServiceState& state, RegionService& service,
               Listener listener, Report report, Reload reload, Worked worked)
    : io_(io),
      state_(state),
      service_(service),
      listener_(std::move(listener)),
      report_(std::move(report)),
      reload_(std::move(reload)),
      worked_(std::move(worked)),
      accepting_(io, listener_.handle().get()),
      pause_(io),
      limiter_(state.security.service_uid(), kMaxConnections),
      next_window_(io) {}

Server::~Server() {
    accepting_.release();
    for (auto& [client, entry] : watches_)
        if (entry.exit) entry.exit->release();
}

void Server::start() {
    for (const auto client : service_.clients()) {
        watch(client);
        probe(client, service_.client(client).serial.load(std::memory_order_relaxed), 0);
    }
    accept();
}

void Server::listen_on(Listener listener) {
    accepting_.release();  // cancels the wait
    pause_.cancel();
    listener_ = std::move(listener);
    accepting_.assign(listener_.handle().get());
    accept();
}

void Server::accept() {
    accepting_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                          [this](const boost::system::error_code& error) {
                              if (error) return;
                              for (int i = 0; i < kAcceptAtOnce; ++i) {
                                  auto channel = listener_.accept();
                                  if (!channel)
                                      return wait_for_descriptors(std::move(channel).error());
                                  if (!*channel) break;
                                  pauses_ = 0;
                                  welcome(std::move(**channel));
                              }
                              accept();
                          });
}

// Others may be given back soon: until then those who wait stay in the socket's queue. They are
// told when it takes longer.
void Server::wait_for_descriptors(Error why) {
    const auto number = why.system_error;
    (void)state_.errors.handle(std::move(why), {"accept", {}, {}, {}});
    if (++pauses_ > kPatientPauses) refuse_waiting(number);
    pause_.expires_after(kPauseWithoutDescriptors);
    pause_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled) accept();
    });
}

void Server::refuse_waiting(int number) {
    wire::ReplyT reply;
    reply.answer.Set(to_wire(no_descriptors(number)));
    for (int i = 0; i < kAcceptAtOnce; ++i) {
        auto channel = listener_.accept_to_refuse();
        if (!channel) return;
        channel->stop_receiving();
        (void)channel->send(encoder_.encode(reply));
    }
}

void Server::welcome(Channel channel) {
    auto credentials = state_.backend.peer(channel.handle());
    if (!credentials) return;
    if (group_stands_for_strangers(credentials->gid)) credentials->gid = kNoId;
    if (credentials->pid == 0) channel.tell_processes();
    auto identity = identify_peer(channel.handle(), *credentials);
    const auto connection = std::make_shared<ClientConnection>(
        *this, io_, std::move(channel), *credentials, identity ? *identity : nullptr);
    connections_.insert(connection);
    const bool room = limiter_.enter(credentials->uid);
    if (!identity) {
        const auto number = identity.error().system_error;
        const bool none_left = number == EMFILE || number == ENFILE;
        return connection->refuse_and_close(none_left ? no_descriptors(number) : identity.error());
    }
    if (stands_for_strangers(credentials->uid)) {
        service_.record_refusal({.kind = EventKind::refused,
                                 .result = ErrorCode::identity_mismatch,
                                 .pid = credentials->pid,
                                 .uid = credentials->uid,
                                 .text = "connect: a user without a number"});
        return connection->refuse_and_close(
            make_error(ErrorCode::identity_mismatch,
                       fmt::format("user {} stands for every user without a number in the "
                                   "manager's user namespace: nobody can tell them apart",
                                   credentials->uid),
                       "connect as a user that its /proc/self/uid_map names, or serve where all "
                       "users have numbers"));
    }
    if (!room)
        return connection->refuse_and_close(
            make_error(ErrorCode::client_limit_exceeded,
                       fmt::format("user {} has as many connections open as there may be, or all "
                                   "users together have",
                                   credentials->uid),
                       "close connections that are not needed"));
    connection->start();
}

bool Server::must_wait(const std::shared_ptr<ClientConnection>& connection) {
    const auto pause = limiter_.pause(connection->caller().credentials.uid, monotonic_nanos());
    if (pause == 0) return false;
    waiting_.push_back(connection);
    if (waiting_.size() > 1) return true;
    next_window_.expires_after(std::chrono::nanoseconds(pause));
    next_window_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled) resume_waiting();
    });
    return true;
}

void Server::resume_waiting() {
    for (const auto& weak : std::exchange(waiting_, {}))
        if (const auto connection = weak.lock()) connection->wait_readable();
}

Result<std::uint32_t> Server::attach(const Caller& caller, const std::vector<std::uint8_t>& token,
                                     bool& resumed) {
    if (!caller.identity->same())
        return fail(ErrorCode::identity_mismatch, "the process that connected has ended");
    const ClientIdentity identity{caller.credentials, caller.identity->start_time(), caller.process,
                                  caller.identity->number(), other_ids_of(caller)};
    resumed = !token.empty();
    if (!resumed) {
        SHM_ASSIGN(const auto client, service_.connect_client(identity));
        watch(client, caller.identity->watch());
        return client;
    }
    SessionToken known{};
    if (token.size() != known.size())
        return fail(ErrorCode::protocol_error, "the session token has a wrong length");
    std::copy(token.begin(), token.end(), known.begin());
    SHM_ASSIGN(const auto client, service_.resume_client(known, identity));
    // The old connection, if it still seems open, is of the same process and of no more use to it.
    // Detached first: its end is not the client's.
    auto& entry = watches_[client];
    entry.lost = false;
    if (const auto old = std::exchange(entry.connection, {}).lock()) old->close();
    return client;
}

void Server::connection_attached(const std::shared_ptr<ClientConnection>& connection) {
    if (!connection->caller().client) return;
    auto& entry = watches_[*connection->caller().client];
    entry.connection = connection;
    entry.lost = false;
}

void Server::connection_ended(const std::shared_ptr<ClientConnection>& connection) {
    if (connections_.erase(connection) > 0) limiter_.leave(connection->caller().credentials.uid);
    const auto& caller = connection->caller();
    if (!caller.client) return;
    const auto found = watches_.find(*caller.client);
    if (found == watches_.end() || found->second.serial != caller.serial ||
        found->second.connection.lock() != connection)
        return;
    found->second.connection.reset();
    if (service_.reap_if_dead(*caller.client)) return unwatch(*caller.client);
    service_.connection_lost(*caller.client);
    found->second.lost = true;
    probe(*caller.client, caller.serial, 0);
}

void Server::watch(std::uint32_t client, Handle exit) {
    auto& entry = watches_[client];
    entry = {};
    const auto& record = service_.client(client);
    entry.serial = record.serial.load(std::memory_order_relaxed);
    entry.again = std::make_unique<boost::asio::steady_timer>(io_);
    if (exit) {
        entry.process = std::move(exit);
    } else {
        auto process = state_.backend.watch(record.pid);
        if (!process) return;  // the closed connection and the probes will tell
        entry.process = std::move(*process);
    }
    entry.exit = std::make_unique<boost::asio::posix::stream_descriptor>(io_, entry.process.get());
    entry.exit->async_wait(
        boost::asio::posix::stream_descriptor::wait_read,
        [this, client, serial = entry.serial](const boost::system::error_code& error) {
            if (!error) probe(client, serial, 0);
        });
}

void Server::unwatch(std::uint32_t client) {
    const auto found = watches_.find(client);
    if (found == watches_.end()) return;
    if (found->second.exit) found->second.exit->release();
    const auto connection = found->second.connection.lock();
    watches_.erase(found);
    if (connection) connection->close();
}

void Server::probe(std::uint32_t client, std::uint64_t serial, int attempt) {
    const auto found = watches_.find(client);
    if (found == watches_.end() || found->second.serial != serial) return;
    if (service_.reap_if_dead(client)) {
        worked_();
        return unwatch(client);
    }
    // Not earlier: of a client that was killed its end is recorded, and nothing before it.
    if (found->second.lost && attempt >= kLivingProbes &&
        attempt >= probes_until_disconnected(found->second.process, service_.client(client).pid)) {
        found->second.lost = false;
        service_.client_disconnected(client);
        worked_();
    }
    // The kernel closes a dying process's sockets before it gives up its locks; soon, then less
    // often.
    auto& timer = *found->second.again;
    timer.expires_after(std::chrono::milliseconds(1 << std::min(attempt, 10)));
    timer.async_wait([this, client, serial, attempt](const boost::system::error_code& error) {
        if (error) return;
        const auto entry = watches_.find(client);
        if (entry == watches_.end() || entry->second.serial != serial) return;
        if (entry->second.connection.lock() && attempt >= kLivingProbes) return;  // it came back
        probe(client, serial, attempt + 1);
    });
}

}  // namespace snakepit::shm
