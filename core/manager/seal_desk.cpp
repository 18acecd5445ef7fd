// SPDX-License-Identifier: MIT
#include "manager/seal_desk.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "manager/seal_check.h"
#include "manager/service.h"

namespace snakepit::shm {

using namespace layout;

namespace {

// Versions that may be committed while one is checked, before it is given up.
constexpr int kLookAttempts = 8;
// A region that was found sound is not looked at again for this long, unless it was written to: or
// one reader could keep the other thread busy by lying.
constexpr std::int64_t kSoundFor = 10'000'000;
constexpr std::size_t kRemembered = 1024;  // looks that are over

SecurityLevel level_of(const SlotBody& body) {
    return static_cast<SecurityLevel>(body.security_level);
}

template <typename To, std::size_t N>
void copy_bytes(To& to, const std::uint8_t (&from)[N]) {
    static_assert(sizeof to == N);
    std::memcpy(to.data(), from, N);
}
template <typename From, std::size_t N>
void copy_bytes(std::uint8_t (&to)[N], const From& from) {
    static_assert(sizeof from == N);
    std::memcpy(to, from.data(), N);
}

tl::unexpected<Error> no_record(const RegionId& id) {
    return fail(ErrorCode::corruption_detected,
                fmt::format("the record of what {} contains is gone", id.str()),
                "deallocate it and allocate a new one");
}

}  // namespace

void SealDesk::open(EncryptionTable table, std::shared_ptr<const InstanceKey> key) {
    table_.emplace(std::move(table));
    key_ = std::move(key);
}

Status SealDesk::begin(std::uint32_t slot) {
    return table_->begin(slot, service_.registry_->id(slot));
}

// -------------------------------------------------------------------- asking

Result<EncryptionState> SealDesk::state_of(std::uint32_t slot) const {
    const auto id = service_.registry_->id(slot);
    const auto body = table_ ? table_->find(slot, id) : std::nullopt;
    if (!body) return no_record(id);
    EncryptionState state;
    state.id = id;
    state.size = service_.registry_->fixed(slot).size;
    state.version = body->version;
    state.key_version = body->key_version;
    state.writer_pid = body->writer_pid;
    state.writer_uid = body->writer_uid;
    copy_bytes(state.root, body->root);
    copy_bytes(state.public_key, body->public_key);
    copy_bytes(state.signature, body->signature);
    return state;
}

Result<std::vector<std::uint8_t>> SealDesk::key_of(const RegionId& id,
                                                   std::uint32_t version) const {
    std::vector<std::uint8_t> key(kKeyBytes);
    SHM_TRY(derive_region_key(*key_, id, version, std::as_writable_bytes(std::span(key))));
    return key;
}

Result<std::uint32_t> SealDesk::granted(const Caller& caller, const RegionId& id,
                                        AccessMode access) const {
    const auto operation = access == AccessMode::read_write ? Operation::write : Operation::read;
    SHM_ASSIGN(const auto slot, service_.usable(caller, id, operation));
    const auto word = service_.registry_->control(slot);
    if (level_of(service_.registry_->body(slot)) == SecurityLevel::standard)
        return fail(ErrorCode::invalid_argument, fmt::format("{} is not encrypted", id.str()));
    const bool has =
        caller.client && service_.counter_.granted(*caller.client, slot, word.generation, access);
    if (!has)
        return fail(ErrorCode::permission_denied,
                    fmt::format("this program has not been granted {}", id.str()), "map it first");
    if (word.damaged)
        return fail(ErrorCode::corruption_detected, fmt::format("{} is damaged", id.str()),
                    "deallocate it and allocate a new one");
    return slot;
}

Result<SealAnswer> SealDesk::read(const Caller& caller, const RegionId& id,
                                  std::uint32_t key_version, bool next) {
    auto answer = [&]() -> Result<SealAnswer> {
        SHM_ASSIGN(const auto slot, granted(caller, id, AccessMode::read_only));
        if (next) SHM_TRY(service_.usable(caller, id, Operation::manage));
        SealAnswer out;
        SHM_ASSIGN(out.state, state_of(slot));
        if (key_version != out.state.key_version) {
            SHM_ASSIGN(out.key, key_of(id, out.state.key_version));
        }
        if (next) {
            SHM_ASSIGN(out.next_key, key_of(id, out.state.key_version + 1));
        }
        return out;
    }();
    if (!answer) return fail(service_.refuse(caller, std::move(answer).error(), "map", id));
    return answer;
}

// ----------------------------------------------------------------- committing

Status SealDesk::may_commit(std::uint32_t slot, const Caller& caller, const SealCommitCall& call,
                            const EncryptionState& now) const {
    const auto holders = service_.synchronizer_.holders(slot);
    const bool locked = std::any_of(holders.begin(), holders.end(), [&](const auto& held) {
        return held.writes() && held.lock.serial == caller.serial;
    });
    if (!locked)
        return fail(ErrorCode::not_held,
                    fmt::format("{} is not locked by who writes to it", call.id.str()),
                    "an administrator may have taken the lock away: write again");
    if (now.version != call.expected)
        return fail(ErrorCode::invalid_argument,
                    fmt::format("{} has been written to meanwhile", call.id.str()),
                    "read it again");
    const bool rotates = call.key_version == now.key_version + 1;
    if (call.key_version != now.key_version && !rotates)
        return fail(ErrorCode::invalid_argument,
                    fmt::format("the key of {} has been changed meanwhile", call.id.str()),
                    "read it again");
    if (rotates) SHM_TRY(service_.usable(caller, call.id, Operation::manage));
    EncryptionState next = now;
    next.root = call.root;
    next.public_key = call.public_key;
    next.signature = call.signature;
    const bool signs = level_of(service_.registry_->body(slot)) == SecurityLevel::maximum;
    if (signs && !root_signed(next))
        return fail(
            ErrorCode::security_violation,
            fmt::format("what was written to {} is not signed by its writer", call.id.str()),
            "use the client library of the manager's release");
    return {};
}

Status SealDesk::commit_to(std::uint32_t slot, const Caller& caller, const SealCommitCall& call) {
    SHM_ASSIGN(const auto now_there, state_of(slot));
    // The answer was lost with its manager.
    if (now_there.version == call.expected + 1 && now_there.root == call.root) return {};
    SHM_TRY(may_commit(slot, caller, call, now_there));
    EncryptionBody body{};
    body.id_micros = call.id.micros;
    body.id_random = call.id.random;
    body.version = call.expected + 1;
    body.key_version = call.key_version;
    body.writer_uid = caller.credentials.uid;
    body.writer_pid = caller.credentials.pid;
    body.written_at = now().micros;
    copy_bytes(body.root, call.root);
    copy_bytes(body.public_key, call.public_key);
    copy_bytes(body.signature, call.signature);
    copy_text(body.writer, caller.process);
    table_->commit(slot, body);
    if (call.key_version != now_there.key_version)
        service_.registry_->record(slot, {.kind = EventKind::key_rotated,
                                          .pid = caller.credentials.pid,
                                          .uid = caller.credentials.uid,
                                          .count = call.key_version,
                                          .text = caller.process});
    return {};
}

Status SealDesk::commit(const Caller& caller, const SealCommitCall& call) {
    auto done = [&]() -> Status {
        SHM_ASSIGN(const auto slot, granted(caller, call.id, AccessMode::read_write));
        return commit_to(slot, caller, call);
    }();
    if (!done) return fail(service_.refuse(caller, std::move(done).error(), "flush", call.id));
    return {};
}

bool SealDesk::may_finish(const Caller& caller, const RegionId& id) const {
    const auto slot = granted(caller, id, AccessMode::read_write);
    return slot && (service_.registry_->body(*slot).flags & kSealPending) != 0;
}

// -------------------------------------------------------------------- damage

std::optional<std::string> SealDesk::fault_of(std::uint32_t slot) const {
    const auto& body = service_.registry_->body(slot);
    if (level_of(body) == SecurityLevel::standard) return std::nullopt;
    const auto state = state_of(slot);
    if (!state) return state.error().message;
    const auto segment = service_.allocator_.open(slot, AccessMode::read_only);
    if (!segment) return segment.error().message;
    return check_table(*segment, *state, level_of(body) == SecurityLevel::maximum);
}

void SealDesk::report(const Caller& caller, const RegionId& id, std::function<void(Status)> done) {
    const auto slot = granted(caller, id, AccessMode::read_only);
    if (!slot) return done(fail(service_.refuse(caller, slot.error(), "report", id)));
    if (looking_.size() > kRemembered)
        std::erase_if(looking_, [](const auto& look) { return look.second.waiting.empty(); });
    auto& looking = looking_[id];
    const auto state = state_of(*slot);
    const bool known = state && looking.sound_version == state->version &&
                       boot_micros() - looking.sound_at < kSoundFor;
    if (looking.waiting.empty() && known) return done({});
    looking.waiting.push_back(std::move(done));
    if (looking.waiting.size() == 1) look(*slot, 0);
}

void SealDesk::look(std::uint32_t slot, int attempt) {
    const auto id = service_.registry_->id(slot);
    const auto check = std::make_shared<Check>();
    check->attempt = attempt;
    const auto prepared = [&]() -> Status {
        SHM_ASSIGN(check->state, state_of(slot));
        SHM_ASSIGN(check->segment, service_.allocator_.open(slot, AccessMode::read_only));
        SHM_ASSIGN(check->key, LockedMemory::make(kKeyBytes));
        return derive_region_key(*key_, id, check->state.key_version, check->key.bytes());
    }();
    if (!prepared) {
        if (prepared.error().code == ErrorCode::corruption_detected)
            service_.damage(slot, prepared.error().message);
        return end_look(id, prepared);
    }
    const bool signs = level_of(service_.registry_->body(slot)) == SecurityLevel::maximum;
    service_.run_long_(
        [check, signs] {
            check->fault = check_contents(check->segment, check->state, signs, check->key.bytes());
        },
        [this, check] {
            const auto there = service_.find(check->state.id);
            if (there) return looked(*there, check);
            end_look(check->state.id, fail(there.error()));
        });
}

// What was written over while it was checked says nothing.
void SealDesk::looked(std::uint32_t slot, const std::shared_ptr<Check>& check) {
    const auto id = check->state.id;
    const auto state = state_of(slot);
    const bool same = state && state->version == check->state.version;
    if (check->fault && !same && check->attempt < kLookAttempts)
        return look(slot, check->attempt + 1);
    if (check->fault && same) service_.damage(slot, *check->fault);
    if (!check->fault) {
        looking_[id].sound_at = boot_micros();
        looking_[id].sound_version = check->state.version;
    }
    end_look(id, {});
}

void SealDesk::end_look(const RegionId& id, const Status& outcome) {
    const auto waiting = std::exchange(looking_[id].waiting, {});
    for (const auto& done : waiting) done(outcome);
}

}  // namespace snakepit::shm
