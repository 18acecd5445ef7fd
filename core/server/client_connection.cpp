// SPDX-License-Identifier: MIT
#include "server/client_connection.h"

#include <algorithm>

#include <fmt/format.h>

#include "server/server.h"

namespace snakepit::shm {

namespace {

constexpr auto kGreetingTime = std::chrono::seconds(10);
constexpr std::size_t kListBytes =
    std::size_t{40} * 1024;  // of regions in one frame, estimated generously

// The region a request changes or maps; null for the others.
const wire::RegionKey* region_of(const wire::RequestT& request) {
    using wire::Call;
    if (const auto* call = request.call.AsMap()) return call->id.get();
    if (const auto* call = request.call.AsDeallocate()) return call->id.get();
    if (const auto* call = request.call.AsSeal()) return call->id.get();
    if (const auto* call = request.call.AsLock()) return call->id.get();
    if (const auto* call = request.call.AsSignal()) return call->id.get();
    if (const auto* call = request.call.AsWatch()) return call->id.get();
    if (const auto* call = request.call.AsSetPolicy()) return call->id.get();
    if (const auto* call = request.call.AsEncryptedRead()) return call->id.get();
    if (const auto* call = request.call.AsEncryptedCommit()) return call->id.get();
    return nullptr;
}

constexpr std::size_t kReasonBytes = std::size_t{40} * 1024;  // of a cleanup's items in one frame
// So that an answer in which all fails at length still fits a frame.
void fit_reasons(wire::CleanedT& cleaned) {
    std::size_t bytes = 0;
    for (const auto& item : cleaned.items) bytes += item->reason.size();
    if (bytes <= kReasonBytes) return;
    for (const auto& item : cleaned.items)
        item->reason.resize(std::min(item->reason.size(), kReasonBytes / kMaxCleanupItems));
}

}  // namespace

ClientConnection::ClientConnection(Server& server, boost::asio::io_context& io, Channel channel,
                                   Credentials credentials,
                                   std::shared_ptr<const Identity> identity)
    : server_(server),
      channel_(std::move(channel)),
      watch_(io, channel_.handle().get()),
      deadline_(io) {
    caller_.credentials = credentials;
    caller_.identity = std::move(identity);
    if (caller_.identity) caller_.process = caller_.identity->name();
}

ClientConnection::~ClientConnection() {
    if (watch_.is_open()) watch_.release();
}

void ClientConnection::start() {
    deadline_.expires_after(kGreetingTime);
    deadline_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
        const auto self = weak.lock();
        if (!error && self && !self->greeted_)
            self->refuse_and_close(make_error(ErrorCode::timeout, "no greeting within 10 seconds",
                                              "send Hello first"));
    });
    wait_readable();
}

void ClientConnection::close() {
    if (!channel_.valid()) return;
    deadline_.cancel();
    watch_.release();
    channel_.close();
    if (unclaimed_) server_.service().drop_unclaimed(unclaimed_->first, unclaimed_->second);
    server_.connection_ended(shared_from_this());
}

void ClientConnection::refuse_and_close(const Error& error) {
    channel_.stop_receiving();
    answer_error(0, error);
    close();
}

void ClientConnection::wait_readable() {
    if (!channel_.valid() || waiting_ || busy_ || outgoing_) return;
    waiting_ = true;
    watch_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                      [weak = weak_from_this()](const boost::system::error_code& error) {
                          const auto self = weak.lock();
                          if (!self) return;
                          self->waiting_ = false;
                          if (!error) self->on_readable();
                      });
}

// One frame, then the others get their turn. Waiting again asks the kernel whether there is more,
// so trying to read once more would only cost a call.
void ClientConnection::on_readable() {
    if (!channel_.valid() || busy_ || outgoing_ || server_.must_wait(shared_from_this())) return;
    const auto began = monotonic_nanos();
    auto& frame = server_.frame();
    const auto got = channel_.receive(frame);
    frame.handles.clear();  // clients may not pass descriptors
    if (!got) return refuse_and_close(got.error());
    if (*got == Io::closed) return close();
    if (*got == Io::done) handle(frame);
    frame.process.reset();
    server_.limiter().served(caller_.credentials.uid, began, monotonic_nanos());
    server_.state().stats.slice_ended(began);
    server_.worked();
    wait_readable();
}

// The kernel says who sent this very frame: a passed or inherited socket proves nothing.
bool ClientConnection::of_caller(const Frame& frame) const {
    if (!frame.sender || frame.sender->pid != caller_.credentials.pid) return false;
    // Of another pid namespace: every process there has this number.
    return frame.sender->pid != 0 || caller_.identity->number() == 0 ||
           process_number(frame.process) == caller_.identity->number();
}

void ClientConnection::handle(const Frame& frame) {
    auto sender = frame.sender.value_or(Credentials{});
    if (group_stands_for_strangers(sender.gid)) sender.gid = kNoId;
    if (!of_caller(frame)) return refuse_stranger(sender);
    if (!caller_.identity->same()) return close();  // its number may be another's by now
    auto request = decode_request(frame.bytes);
    if (!request) {
        return refuse_and_close(server_.state().errors.handle(
            std::move(request).error(), {"frame", {}, caller_.credentials, caller_.process}));
    }
    if (sender != caller_.credentials) return refuse_changed(*request, sender);
    dispatch(std::move(*request));
}

void ClientConnection::refuse_stranger(const Credentials& sender) {
    ++server_.state().stats.counters.refusals;
    server_.service().record_refusal({.kind = EventKind::refused,
                                      .result = ErrorCode::identity_mismatch,
                                      .pid = sender.pid,
                                      .uid = sender.uid,
                                      .text = "frame"});
    refuse_and_close(server_.state().errors.handle(
        make_error(ErrorCode::identity_mismatch,
                   "the frame comes from another process than the connection",
                   "connect from the process that uses the connection"),
        {"frame", {}, sender, {}}));
}

// The connection stays: other threads of the process may be whom it connected as.
void ClientConnection::refuse_changed(const wire::RequestT& request, const Credentials& sender) {
    if (request.call.type == wire::Call::Released || request.call.type == wire::Call::Signalled)
        return;  // it is only a hint
    ++server_.state().stats.counters.refusals;
    server_.service().record_refusal({.kind = EventKind::refused,
                                      .result = ErrorCode::identity_mismatch,
                                      .pid = sender.pid,
                                      .uid = sender.uid,
                                      .text = "frame: sent under other ids"});
    const auto error = server_.state().errors.handle(changed_ids(caller_.credentials, sender),
                                                     {"frame", {}, sender, caller_.process});
    return greeted_ ? answer_error(request.id, error) : refuse_and_close(error);
}

void ClientConnection::dispatch(wire::RequestT request) {
    auto& service = server_.service();
    const auto id = request.id;
    using wire::Call;
    if (request.call.type == Call::Hello) return greet(id, *request.call.AsHello());
    if (!greeted_)
        return refuse_and_close(make_error(ErrorCode::protocol_error,
                                           "expected a greeting as the first frame",
                                           "send Hello first"));

    const auto region = [](const std::unique_ptr<wire::RegionKey>& key) {
        return key ? from_wire(*key) : RegionId{};
    };
    unclaimed_.reset();  // whoever sends another request has read the last answer, or gave it up
    if (const auto* about = region_of(request); about && service.moving(from_wire(*about)))
        return wait_until_settled(std::move(request), from_wire(*about));
    if (const auto* call = request.call.AsAllocate(); call && call->open)
        if (const auto about = service.moving(caller_, call->name))
            return wait_until_settled(std::move(request), *about);
    switch (request.call.type) {
        case Call::Allocate:
            return allocate(id, *request.call.AsAllocate());
        case Call::Map: {
            const auto& call = *request.call.AsMap();
            return answer_grant(
                id, service.map(caller_, region(call.id),
                                call.access ? AccessMode::read_write : AccessMode::read_only,
                                call.handle));
        }
        case Call::Deallocate: {
            const auto& call = *request.call.AsDeallocate();
            const auto gone = call.quarantine
                                  ? service.quarantine(caller_, region(call.id))
                                  : service.deallocate(caller_, region(call.id), call.force);
            if (!gone) return answer_error(id, gone.error());
            wire::DoneT done;
            done.gone = *gone;
            return answer(id, done);
        }
        case Call::Seal:
            return seal(id, region(request.call.AsSeal()->id));
        case Call::Restore: {
            auto next = service.restore(caller_, region(request.call.AsRestore()->id));
            if (!next) return answer_error(id, next.error());
            wire::DoneT done;
            done.note = std::move(*next);
            return answer(id, std::move(done));
        }
        case Call::Info: {
            const auto info = service.info(caller_, region(request.call.AsInfo()->id));
            if (!info) return answer_error(id, info.error());
            wire::RegionsT regions;
            regions.regions.push_back(std::make_unique<wire::RegionT>(to_wire(*info)));
            return answer(id, std::move(regions));
        }
        case Call::List:
            return list(id, *request.call.AsList());
        case Call::Resolve: {
            const auto found = service.resolve(caller_, request.call.AsResolve()->name);
            if (!found) return answer_error(id, found.error());
            wire::ResolvedT resolved;
            resolved.id = std::make_unique<wire::RegionKey>(to_wire(*found));
            return answer(id, std::move(resolved));
        }
        case Call::Cleanup:
            return clean(id, *request.call.AsCleanup());
        case Call::Announce: {
            const auto& call = *request.call.AsAnnounce();
            return answer_done(id, service.announce(caller_, call.worker, call.pool, call.session));
        }
        case Call::Reserved:
            return service.reserved(caller_, request.call.AsReserved()->allocation,
                                    answer_allocation(id));
        case Call::AllocateCancel:
            return service.cancel_allocation(caller_, request.call.AsAllocateCancel()->allocation);
        case Call::Released: {
            const auto& call = *request.call.AsReleased();
            return service.released(call.slot, call.generation);
        }
        default:
            if (lock_call(id, request) || event_call(id, request) ||
                administration_call(id, request) || encryption_call(id, request) ||
                alert_call(id, request))
                return;
            return refuse_and_close(
                make_error(ErrorCode::protocol_error, "the frame holds no known request"));
    }
}

// The region is being moved: the request is dispatched again when it has arrived.
void ClientConnection::wait_until_settled(wire::RequestT request, const RegionId& id) {
    const auto kept = std::make_shared<wire::RequestT>(std::move(request));
    server_.service().when_settled(
        id, later([kept](ClientConnection& self) { self.dispatch(std::move(*kept)); }));
}

void ClientConnection::seal(std::uint64_t id, const RegionId& region) {
    server_.service().seal(caller_, region,
                           later([id](ClientConnection& self, const Result<bool>& sealed) {
                               if (!sealed) return self.answer_error(id, sealed.error());
                               wire::DoneT done;
                               done.sealed = *sealed;
                               self.answer(id, std::move(done));
                           }));
}

void ClientConnection::greet(std::uint64_t id, const wire::HelloT& hello) {
    if (hello.version != kProtocolVersion)
        return refuse_and_close(
            make_error(ErrorCode::version_mismatch,
                       fmt::format("the client library speaks protocol {}, the manager {}",
                                   hello.version, kProtocolVersion),
                       hello.version < kProtocolVersion
                           ? "upgrade the client library, and start the program again"
                           : "upgrade the manager, and start it again"));
    if (greeted_)
        return refuse_and_close(
            make_error(ErrorCode::protocol_error, "a second greeting on one connection"));
    // Sent before we knew which process it is (see identify_peer).
    if (channel_.pending())
        return refuse_and_close(make_error(ErrorCode::protocol_error,
                                           "a request came before the greeting was answered",
                                           "wait for the answer to Hello"));
    wire::WelcomeT welcome;
    welcome.version = kProtocolVersion;
    welcome.epoch = server_.state().registry.epoch();
    Handle liveness_lock;
    if (hello.lease) {
        auto client = server_.attach(caller_, hello.token, welcome.resumed);
        if (!client) return refuse_and_close(client.error());
        const auto& record = server_.service().client(*client);
        caller_.client = *client;
        caller_.serial = record.serial.load(std::memory_order_relaxed);
        server_.service().client_identified(caller_);
        server_.connection_attached(
            shared_from_this());  // so that a failure from here on reaps the client
        if (!welcome.resumed) {
            auto handed = server_.service().liveness_lock(*client);
            if (!handed) return refuse_and_close(handed.error());
            liveness_lock = std::move(*handed);
        }
        welcome.serial = caller_.serial;
        welcome.token.assign(std::begin(record.token), std::end(record.token));
        welcome.leased = true;
    }
    greeted_ = true;
    deadline_.cancel();
    answer(id, std::move(welcome), std::move(liveness_lock));
}

void ClientConnection::allocate(std::uint64_t id, const wire::AllocateT& call) {
    auto options = from_wire(call);
    if (!options) {
        auto error = std::move(options).error();
        error.operation = "allocate";
        return answer_error(id, error);
    }
    if (call.open && options->name.empty())
        return answer_error(id, make_error(ErrorCode::invalid_argument, "open requires a name"));
    const auto open = !call.open ? std::nullopt
                                 : std::optional(call.open_access ? AccessMode::read_write
                                                                  : AccessMode::read_only);
    server_.service().allocate(caller_, id, call.size, std::move(*options), answer_allocation(id),
                               {call.can_reserve, open, call.stash});
}

std::function<void(Result<Grant>)> ClientConnection::answer_allocation(std::uint64_t id) {
    return later([id](ClientConnection& self, Result<Grant> granted) {
        if (granted && granted->created && !granted->reserve && self.caller_.client)
            self.unclaimed_.emplace(granted->slot, granted->generation);
        self.answer_grant(id, std::move(granted));
    });
}

void ClientConnection::list(std::uint64_t id, const wire::ListT& call) {
    auto slot = call.from_slot;
    const auto infos = server_.service().list(caller_, call.filter, slot, kListBytes);
    if (!infos) return answer_error(id, infos.error());
    wire::RegionsT regions;
    for (const auto& info : *infos)
        regions.regions.push_back(std::make_unique<wire::RegionT>(to_wire(info)));
    regions.next_slot = slot;
    regions.more = slot < server_.state().registry.frontier();
    answer(id, std::move(regions));
}

void ClientConnection::clean(std::uint64_t id, const wire::CleanupT& call) {
    const auto request = from_wire(call);
    if (request.only.size() > kMaxCleanupItems)
        return answer_error(
            id, make_error(ErrorCode::invalid_argument,
                           fmt::format("{} regions are named in one request", request.only.size()),
                           fmt::format("name at most {}", kMaxCleanupItems)));
    auto slot = call.from_slot;
    const auto result = server_.service().cleanup(caller_, request, slot, kMaxCleanupItems);
    auto cleaned = to_wire(result);
    fit_reasons(cleaned);
    cleaned.next_slot = slot;
    cleaned.more = slot < server_.state().registry.frontier();
    answer(id, std::move(cleaned));
}

void ClientConnection::send_reply(const wire::ReplyT& reply, Handle handle) {
    const auto bytes = server_.encoder().encode(reply);
    if (bytes.size() > kMaxFrame)
        return answer_error(
            reply.id,
            make_error(ErrorCode::protocol_error,
                       fmt::format("the answer has {} bytes and fits no frame", bytes.size()),
                       "ask for less at a time"));
    send(bytes, std::move(handle));
}

void ClientConnection::answer_done(std::uint64_t id, const Status& done) {
    done ? answer(id, wire::DoneT{}) : answer_error(id, done.error());
}

void ClientConnection::answer_error(std::uint64_t id, const Error& error) {
    answer(id, to_wire(error));
}

void ClientConnection::answer_grant(std::uint64_t id, Result<Grant> granted) {
    if (!granted) return answer_error(id, granted.error());
    wire::GrantedT out;
    out.id = std::make_unique<wire::RegionKey>(to_wire(granted->id));
    out.slot = granted->slot;
    out.generation = granted->generation;
    out.size = granted->size;
    out.arena = granted->arena;
    out.offset = granted->offset;
    out.segment_size = granted->segment_size;
    out.access = static_cast<std::uint8_t>(granted->access);
    out.tell_release = granted->tell_release;
    out.security_level = static_cast<std::uint8_t>(granted->level);
    out.audited = granted->audited;
    out.reserve = granted->reserve;
    out.created = granted->created;
    for (const auto& one : granted->stash)
        out.stash.emplace_back(to_wire(one.id), one.generation, one.offset, one.slot);
    out.stash_hollow = granted->stash_hollow;
    answer(id, std::move(out), std::move(granted->handle));
}

void ClientConnection::send(std::span<const std::byte> bytes, Handle handle) {
    if (!channel_.valid() || sent(bytes, handle)) return;
    outgoing_.emplace(bytes, std::move(handle));
    wait_writable();
}

// False: there is no room for it yet.
bool ClientConnection::sent(std::span<const std::byte> bytes, const Handle& handle) {
    const int number = handle.get();
    const auto done = channel_.send(bytes, handle ? std::span(&number, 1) : std::span<const int>());
    if (done && *done == Io::again) return false;
    if (!done || *done == Io::closed) close();
    return true;
}

void ClientConnection::wait_writable() {
    watch_.async_wait(boost::asio::posix::stream_descriptor::wait_write,
                      [weak = weak_from_this()](const boost::system::error_code& error) {
                          const auto self = weak.lock();
                          if (error || !self || !self->outgoing_) return;
                          if (!self->sent(self->outgoing_->bytes, self->outgoing_->handle))
                              return self->wait_writable();
                          self->outgoing_.reset();
                          self->wait_readable();
                      });
}

}  // namespace snakepit::shm
