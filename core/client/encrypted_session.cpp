// SPDX-License-Identifier: MIT
#include "client/encrypted_session.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "client/connection.h"

namespace snakepit::shm {

using layout::ChunkEntry;

namespace {

constexpr std::size_t kNonceBytes = sizeof(ChunkEntry::nonce);
constexpr std::size_t kNoncesAtOnce =
    64;  // fetching random bytes costs as much as encrypting a KiB
// Each retry means that two versions were committed while we copied a table.
constexpr int kSessionAttempts = 1000;

template <typename To>
bool fill(To& to, const std::vector<std::uint8_t>& from) {
    if (from.size() != sizeof to) return false;
    std::memcpy(to.data(), from.data(), from.size());
    return true;
}

template <std::size_t N>
std::vector<std::uint8_t> octets(const std::array<std::byte, N>& from) {
    std::vector<std::uint8_t> out(N);
    std::memcpy(out.data(), from.data(), N);
    return out;
}

}  // namespace

EncryptedSession::EncryptedSession(CipherEngine& engine, AskManager ask, const RegionId& id,
                                   std::uint64_t size, SecurityLevel level, std::byte* segment)
    : engine_(engine), ask_(std::move(ask)), layout_(size), level_(level), segment_(segment) {
    state_.id = id;
    state_.size = size;
    table_.resize(layout_.chunks);
}

Result<wire::EncryptedVersionT> EncryptedSession::ask_version(bool next_key) {
    wire::EncryptedReadT call;
    call.id = std::make_unique<wire::RegionKey>(to_wire(state_.id));
    call.key_version = key_version_;
    call.next_key = next_key;
    wire::RequestT request;
    request.call.Set(std::move(call));
    SHM_ASSIGN(auto reply, ask_(std::move(request)));
    auto* answer = reply.answer.AsEncryptedVersion();
    if (!answer) return unexpected_answer();
    return std::move(*answer);
}

Status EncryptedSession::take_key(std::vector<std::uint8_t>& bytes, LockedMemory& place) {
    const auto taken = [&]() -> Status {
        if (bytes.size() != kKeyBytes) return unexpected_answer();
        SHM_ASSIGN(place, LockedMemory::make(kKeyBytes));
        std::memcpy(place.data(), bytes.data(), kKeyBytes);
        return {};
    }();
    wipe(std::as_writable_bytes(std::span(bytes)));
    return taken;
}

void EncryptedSession::rest() {
    cipher_.reset();
    next_cipher_.reset();
}

Status EncryptedSession::check_signature(const EncryptionState& state) const {
    if (level_ != SecurityLevel::maximum || state.version == 0 || engine_.root_signed(state))
        return {};
    auto error = make_error(
        ErrorCode::corruption_detected,
        fmt::format("version {} of {} is not signed by its writer, process {} of user {}",
                    state.version, state.id.str(), state.writer_pid, state.writer_uid),
        "deallocate the region and check which process wrote to it");
    error.region_id = state.id.str();
    return fail(std::move(error));
}

// Copied before checking, because others may write to the segment meanwhile.
bool EncryptedSession::read_table(const EncryptionState& state) {
    if (state.version == 0) {
        std::fill(table_.begin(), table_.end(), ChunkEntry{});
        return true;
    }
    std::memcpy(table_.data(), segment_ + layout_.table(state.table()), layout_.table_bytes());
    return engine_.root_of(state, table_) == state.root;
}

// The table of a version is overwritten only by the second next version. So if it does not match
// and the version is still current, it was changed illegally.
Status EncryptedSession::sync() {
    std::optional<std::uint64_t> wrong;
    for (int attempt = 0; attempt < kSessionAttempts; ++attempt) {
        SHM_ASSIGN(auto answer, ask_version(false));
        if (!answer.key.empty()) {
            rest();
            SHM_TRY(take_key(answer.key, key_));
            key_version_ = answer.key_version;
        }
        if (key_version_ != answer.key_version) return unexpected_answer();
        auto state = state_;
        state.version = answer.version;
        state.key_version = answer.key_version;
        state.writer_pid = answer.writer_pid;
        state.writer_uid = answer.writer_uid;
        if (!fill(state.root, answer.root) || !fill(state.public_key, answer.public_key) ||
            !fill(state.signature, answer.signature))
            return unexpected_answer();
        if (wrong == state.version)
            return fail(damaged("its chunk table is not the committed one"));
        if (state.version == state_.version && state.root == state_.root) return {};
        SHM_TRY(check_signature(state));
        if (read_table(state)) {
            state_ = state;
            return {};
        }
        wrong = state.version;
        state_.version = 0;  // the copied table belongs to no version
    }
    return fail(ErrorCode::timeout,
                fmt::format("{} changes faster than it can be read", state_.id.str()),
                "lock it while reading");
}

Result<bool> EncryptedSession::load(std::uint64_t chunk, std::byte* plain) {
    const auto& entry = table_[chunk];
    const auto size = layout_.chunk_size(chunk);
    if (entry.cell == 0) {
        std::memset(plain, 0, size);
        return true;
    }
    if (entry.cell > 2) return false;
    if (!cipher_) {
        SHM_ASSIGN(cipher_, engine_.cipher(key_.bytes()));
    }
    return cipher_->decrypt(state_.id, chunk, entry,
                            {segment_ + layout_.cell(chunk, entry.cell), size}, plain);
}

Error EncryptedSession::damaged(const std::string& what) {
    wire::EncryptedReportT report;
    report.id = std::make_unique<wire::RegionKey>(to_wire(state_.id));
    wire::RequestT request;
    request.call.Set(std::move(report));
    (void)ask_(std::move(request));  // whatever it finds, the contents are not available
    auto error = make_error(ErrorCode::corruption_detected,
                            fmt::format("{} is damaged: {}", state_.id.str(), what),
                            "deallocate it and allocate a new one; its contents were changed, or "
                            "an older version was restored, by a process that is not its writer");
    error.region_id = state_.id.str();
    return error;
}

// ------------------------------------------------------------ a new version

Status EncryptedSession::begin(bool rotate) {
    next_ = state_;
    ++next_.version;
    next_table_ = table_;
    if (!rotate) return {};
    SHM_ASSIGN(auto answer, ask_version(true));
    wipe(std::as_writable_bytes(std::span(answer.key)));
    if (answer.version != state_.version || answer.key_version != state_.key_version)
        return unexpected_answer();
    SHM_TRY(take_key(answer.next_key, next_key_));
    ++next_.key_version;
    return {};
}

// Random, not a counter: an uncommitted version leaves ciphertext behind, and its number is used
// again.
Status EncryptedSession::draw_nonce(ChunkEntry& entry) {
    if (nonces_.empty()) {
        nonces_.resize(kNonceBytes * kNoncesAtOnce);
        SHM_TRY(engine_.random(nonces_));
    }
    const auto from = nonces_.size() - kNonceBytes;
    std::memcpy(entry.nonce, nonces_.data() + from, kNonceBytes);
    nonces_.resize(from);
    return {};
}

Status EncryptedSession::store(std::uint64_t chunk, std::span<const std::byte> plain) {
    const auto& now = table_[chunk];
    ChunkEntry entry{};
    entry.version = next_.version;
    entry.key_version = next_.key_version;
    entry.cell = now.cell == 1 ? 2 : 1;  // the unused one
    SHM_TRY(draw_nonce(entry));
    const bool rotates = next_.key_version != state_.key_version;
    auto& cipher = rotates ? next_cipher_ : cipher_;
    if (!cipher) {
        SHM_ASSIGN(cipher, engine_.cipher((rotates ? next_key_ : key_).bytes()));
    }
    SHM_TRY(cipher->encrypt(state_.id, chunk, plain, segment_ + layout_.cell(chunk, entry.cell),
                            entry));
    next_table_[chunk] = entry;
    return {};
}

Status EncryptedSession::commit() {
    next_.root = engine_.root_of(next_, next_table_);
    if (level_ == SecurityLevel::maximum) {
        SHM_ASSIGN(const auto signed_by_us, engine_.sign(next_.root));
        next_.public_key = signed_by_us.first;
        next_.signature = signed_by_us.second;
    }
    std::memcpy(segment_ + layout_.table(next_.table()), next_table_.data(), layout_.table_bytes());
    wire::EncryptedCommitT call;
    call.id = std::make_unique<wire::RegionKey>(to_wire(state_.id));
    call.expected = state_.version;
    call.key_version = next_.key_version;
    call.root = octets(next_.root);
    call.public_key = octets(next_.public_key);
    call.signature = octets(next_.signature);
    wire::RequestT request;
    request.call.Set(std::move(call));
    SHM_TRY(ask_(std::move(request)));
    if (next_.key_version != state_.key_version) {
        key_ = std::move(next_key_);
        rest();
        key_version_ = next_.key_version;
    }
    state_ = next_;
    table_.swap(next_table_);
    return {};
}

void EncryptedSession::abandon() {
    key_.abandon();
    next_key_.abandon();
}

}  // namespace snakepit::shm
