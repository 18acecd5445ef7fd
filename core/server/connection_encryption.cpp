// SPDX-License-Identifier: MIT
// Requests about encrypted regions.
#include <cstring>

#include "platform/locked_memory.h"
#include "server/client_connection.h"
#include "server/server.h"

namespace snakepit::shm {

namespace {

template <std::size_t N>
std::vector<std::uint8_t> octets(const std::array<std::byte, N>& from) {
    std::vector<std::uint8_t> out(N);
    std::memcpy(out.data(), from.data(), N);
    return out;
}

template <std::size_t N>
bool fill(std::array<std::byte, N>& to, const std::vector<std::uint8_t>& from) {
    if (from.size() != N) return false;
    std::memcpy(to.data(), from.data(), N);
    return true;
}

Result<EncryptedCommitCall> commit_of(const wire::EncryptedCommitT& call) {
    EncryptedCommitCall out;
    if (call.id) out.id = from_wire(*call.id);
    out.expected = call.expected;
    out.key_version = call.key_version;
    if (fill(out.root, call.root) && fill(out.public_key, call.public_key) &&
        fill(out.signature, call.signature))
        return out;
    return fail(ErrorCode::protocol_error, "a root, a key or a signature has a wrong length",
                "use the client library of the manager's release");
}

}  // namespace

bool ClientConnection::encryption_call(std::uint64_t id, const wire::RequestT& request) {
    auto& service = server_.service();
    if (const auto* call = request.call.AsEncryptedRead()) {
        read_encrypted(id, *call);
    } else if (const auto* commit = request.call.AsEncryptedCommit()) {
        const auto what = commit_of(*commit);
        answer_done(id, what ? service.commit_encrypted(caller_, *what) : fail(what.error()));
    } else if (const auto* report = request.call.AsEncryptedReport()) {
        report_encrypted(id, report->id ? from_wire(*report->id) : RegionId{});
    } else {
        return false;
    }
    return true;
}

// The key is in three places on its way; none of them keeps it.
void ClientConnection::read_encrypted(std::uint64_t id, const wire::EncryptedReadT& call) {
    auto read = server_.service().read_encrypted(
        caller_, call.id ? from_wire(*call.id) : RegionId{}, call.key_version, call.next_key);
    if (!read) return answer_error(id, read.error());
    wire::EncryptedVersionT version;
    version.version = read->state.version;
    version.key_version = read->state.key_version;
    version.root = octets(read->state.root);
    version.public_key = octets(read->state.public_key);
    version.signature = octets(read->state.signature);
    version.writer_pid = read->state.writer_pid;
    version.writer_uid = read->state.writer_uid;
    version.key = std::move(read->key);
    version.next_key = std::move(read->next_key);
    wire::ReplyT reply;
    reply.id = id;
    reply.answer.Set(std::move(version));
    const auto frame = server_.encoder().encode(reply);
    send(frame, {});
    wipe({const_cast<std::byte*>(frame.data()), frame.size()});  // the encoder's own memory
    auto* sent = reply.answer.AsEncryptedVersion();
    wipe(std::as_writable_bytes(std::span(sent->key)));
    wipe(std::as_writable_bytes(std::span(sent->next_key)));
}

void ClientConnection::report_encrypted(std::uint64_t id, const RegionId& region) {
    server_.service().report_encrypted(
        caller_, region,
        later([id](ClientConnection& self, const Status& done) { self.answer_done(id, done); }));
}

}  // namespace snakepit::shm
