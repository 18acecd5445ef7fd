// SPDX-License-Identifier: MIT
#include "regions/encrypted_regions.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace snakepit::shm {

using namespace layout;

namespace {

// Versions that may be committed while one is checked, before it is given up.
constexpr int kCheckAttempts = 8;
// A region that was found sound is not checked again for this long unless it was written to, so
// that one reader with false reports cannot keep the background thread busy.
constexpr std::int64_t kSoundFor = 10'000'000;
constexpr std::size_t kRemembered = 1024;  // checks that are over

template <typename From, std::size_t N>
void copy_bytes(std::uint8_t (&to)[N], const From& from) {
    static_assert(sizeof from == N);
    std::memcpy(to, from.data(), N);
}

}  // namespace

// -------------------------------------------------------------------- asking

Result<std::vector<std::uint8_t>> EncryptedRegions::key_of(const RegionId& id,
                                                           std::uint32_t version) const {
    std::vector<std::uint8_t> key(kKeyBytes);
    SHM_TRY(derive_region_key(*state_.key, id, version, std::as_writable_bytes(std::span(key))));
    return key;
}

Result<std::uint32_t> EncryptedRegions::granted(const Caller& caller, const RegionId& id,
                                                AccessMode access) const {
    const auto operation = access == AccessMode::read_write ? Operation::write : Operation::read;
    SHM_ASSIGN(const auto slot, policies_.usable(caller, id, operation));
    const auto word = registry_.control(slot);
    if (encryption_.level(slot) == SecurityLevel::standard)
        return fail(ErrorCode::invalid_argument, fmt::format("{} is not encrypted", id.str()),
                    "allocate a new region with security level high or maximum");
    const bool has =
        caller.client && counter_.granted(*caller.client, slot, word.generation, access);
    if (!has)
        return fail(ErrorCode::permission_denied,
                    fmt::format("this program has not been granted {}", id.str()), "map it first");
    if (word.damaged)
        return fail(ErrorCode::corruption_detected, fmt::format("{} is damaged", id.str()),
                    "deallocate it and allocate a new one");
    return slot;
}

Result<EncryptedAnswer> EncryptedRegions::read(const Caller& caller, const RegionId& id,
                                               std::uint32_t key_version, bool next) {
    return refusals_.check(caller, "map", id, [&]() -> Result<EncryptedAnswer> {
        SHM_ASSIGN(const auto slot, granted(caller, id, AccessMode::read_only));
        if (next) SHM_TRY(policies_.usable(caller, id, Operation::manage));
        EncryptedAnswer out;
        SHM_ASSIGN(out.state, encryption_.read(slot));
        if (key_version != out.state.key_version) {
            SHM_ASSIGN(out.key, key_of(id, out.state.key_version));
        }
        if (next) {
            SHM_ASSIGN(out.next_key, key_of(id, out.state.key_version + 1));
        }
        return out;
    }());
}

// ----------------------------------------------------------------- committing

Status EncryptedRegions::may_commit(std::uint32_t slot, const Caller& caller,
                                    const EncryptedCommitCall& call,
                                    const EncryptionState& now) const {
    const auto holders = synchronizer_.holders(slot);
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
    if (rotates) SHM_TRY(policies_.usable(caller, call.id, Operation::manage));
    EncryptionState next = now;
    next.root = call.root;
    next.public_key = call.public_key;
    next.signature = call.signature;
    const bool signs = encryption_.level(slot) == SecurityLevel::maximum;
    if (signs && !root_signed(next))
        return fail(
            ErrorCode::security_violation,
            fmt::format("what was written to {} is not signed by its writer", call.id.str()),
            "use the client library of the manager's release");
    return {};
}

Status EncryptedRegions::commit_to(std::uint32_t slot, const Caller& caller,
                                   const EncryptedCommitCall& call) {
    SHM_ASSIGN(const auto now_there, encryption_.read(slot));
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
    encryption_.commit(slot, body);
    if (call.key_version != now_there.key_version)
        registry_.record(
            slot, event_by(caller, {.kind = EventKind::key_rotated, .count = call.key_version}));
    return {};
}

Status EncryptedRegions::commit(const Caller& caller, const EncryptedCommitCall& call) {
    return refusals_.check(caller, "flush", call.id, [&]() -> Status {
        SHM_ASSIGN(const auto slot, granted(caller, call.id, AccessMode::read_write));
        return commit_to(slot, caller, call);
    }());
}

bool EncryptedRegions::may_finish(const Caller& caller, const RegionId& id) const {
    const auto slot = granted(caller, id, AccessMode::read_write);
    return slot && (registry_.body(*slot).flags & kSealPending) != 0;
}

// -------------------------------------------------------------------- damage

void EncryptedRegions::report(const Caller& caller, const RegionId& id,
                              std::function<void(Status)> done) {
    const auto slot = granted(caller, id, AccessMode::read_only);
    if (!slot) return done(fail(refusals_.refuse(caller, slot.error(), "report", id)));
    if (checks_.size() > kRemembered)
        std::erase_if(checks_, [](const auto& entry) { return entry.second.waiting.empty(); });
    auto& checks = checks_[id];
    const auto state = encryption_.read(*slot);
    const bool sound = state && checks.sound_version == state->version &&
                       boot_micros() - checks.sound_at < kSoundFor;
    if (checks.waiting.empty() && sound) return done({});
    checks.waiting.push_back(std::move(done));
    if (checks.waiting.size() == 1) start_check(*slot, 0);
}

void EncryptedRegions::start_check(std::uint32_t slot, int attempt) {
    const auto id = registry_.id(slot);
    const auto check = std::make_shared<Check>();
    check->attempt = attempt;
    const auto prepared = [&]() -> Status {
        SHM_ASSIGN(check->state, encryption_.read(slot));
        SHM_ASSIGN(check->segment, allocator_.open(slot, AccessMode::read_only));
        SHM_ASSIGN(check->key, LockedMemory::make(kKeyBytes));
        return derive_region_key(*state_.key, id, check->state.key_version, check->key.bytes());
    }();
    if (!prepared) {
        if (prepared.error().code == ErrorCode::corruption_detected)
            integrity_.damage(slot, prepared.error().message);
        return end_check(id, prepared);
    }
    const bool signs = encryption_.level(slot) == SecurityLevel::maximum;
    state_.run_in_background(
        [check, signs] {
            check->fault = check_contents(check->segment, check->state, signs, check->key.bytes());
        },
        [this, check] {
            const auto there = find_region(registry_, check->state.id);
            if (there) return finish_check(*there, check);
            end_check(check->state.id, fail(there.error()));
        });
}

// What was written over while it was checked says nothing.
void EncryptedRegions::finish_check(std::uint32_t slot, const std::shared_ptr<Check>& check) {
    const auto id = check->state.id;
    const auto state = encryption_.read(slot);
    const bool same = state && state->version == check->state.version;
    if (check->fault && !same && check->attempt < kCheckAttempts)
        return start_check(slot, check->attempt + 1);
    if (check->fault && same) integrity_.damage(slot, *check->fault);
    if (!check->fault) {
        checks_[id].sound_at = boot_micros();
        checks_[id].sound_version = check->state.version;
    }
    end_check(id, {});
}

void EncryptedRegions::end_check(const RegionId& id, const Status& outcome) {
    const auto waiting = std::exchange(checks_[id].waiting, {});
    for (const auto& done : waiting) done(outcome);
}

}  // namespace snakepit::shm
