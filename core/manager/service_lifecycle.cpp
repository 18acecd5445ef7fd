// SPDX-License-Identifier: MIT
// Clients that come and go, counts that change, and regions that end. What is done when is in
// service_turns.cpp.
#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "events/holder_list.h"
#include "manager/service.h"

namespace snakepit::shm {

using namespace layout;

namespace {

// Microseconds between `references` events of one region, on a clock that nobody can set.
constexpr std::int64_t kRecordEvery = 1'000'000;
// Events that wait for the database before samples wait, too: they must not push out of the ring
// what happens only once.
constexpr std::uint64_t kSamplesWait = kRingEntries / 4;

// Who knows the token shared the client's memory, so this tells its children from it. What is not
// known of one of the two says nothing; the numbers of processes are of one pid namespace, and the
// manager before may have been in another.
bool same_process(const ClientRecord& record, const ClientIdentity& identity) {
    const auto number = static_cast<std::uint32_t>(identity.process_number);
    if (record.process_number != 0 && number != 0) return record.process_number == number;
    const auto differ = [](std::int64_t a, std::int64_t b) { return a != 0 && b != 0 && a != b; };
    return !differ(record.pid, identity.credentials.pid) &&
           !differ(record.start_time, identity.start_time);
}

std::uint32_t narrow(std::uint64_t value) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(value, 0xFFFFFFFFU));
}

// Changes whenever a holder's count or access does, and not with their order. 0: there is none.
std::uint32_t digest_of(const std::vector<Holder>& holders, const GrantTable& grants) {
    std::uint64_t sum = 0;
    bool any = false;
    for (const auto& holder : holders) {
        if (holder.references == 0) continue;
        any = true;
        auto x = grants.record(holder.client).serial.load(std::memory_order_relaxed) << 32;
        x ^= holder.references << 1 | static_cast<std::uint64_t>(holder.access);
        x *= 0x9E3779B97F4A7C15ULL;
        x ^= x >> 29;
        x *= 0xBF58476D1CE4E5B9ULL;
        sum += x ^ x >> 32;
    }
    return any ? std::max(static_cast<std::uint32_t>(sum), 1U) : 0;
}

}  // namespace

Service::Notes& Service::notes(std::uint32_t slot) {
    if (slot >= notes_.size()) notes_.resize(slot + 1);
    return notes_[slot];
}

bool Service::owner_alive(std::uint32_t slot) const {
    const auto serial = registry_->fixed(slot).owner_serial;
    return serial == 0 || client_of_serial_.contains(serial);
}

// ------------------------------------------------------------------ clients

ClientRow Service::row_of(std::uint32_t client, bool connected) const {
    const auto& record = grants_.record(client);
    ClientRow row{};
    row.serial = record.serial.load(std::memory_order_relaxed);
    row.pid = record.pid;
    row.connected_at = record.connected_at;
    row.uid = record.uid;
    row.connected = connected ? 1 : 0;
    row.hostile = static_cast<std::uint8_t>(record.hostile);
    copy_text(row.process, record.process);
    copy_text(row.worker, record.worker);
    copy_text(row.pool, record.pool);
    copy_text(row.session, record.session);
    return row;
}

void Service::publish_client(std::uint32_t client, bool connected) {
    registry_->write_client(client, row_of(client, connected));
}

Result<std::uint32_t> Service::connect_client(const ClientIdentity& identity) {
    // One user's lease pages leave room for the others'.
    const auto uid = identity.credentials.uid;
    const auto all = counter_.clients();
    if (uid != security_.service_uid() && uid != 0 &&
        std::count_if(all.begin(), all.end(), [&](std::uint32_t client) {
            return grants_.record(client).uid == uid;
        }) >= kMaxClients / 4)
        return fail(
            ErrorCode::client_limit_exceeded,
            fmt::format("user {} has {} clients that hold lease pages", uid, kMaxClients / 4),
            "end those that are not needed");
    const auto serial = registry_->next_client_serial();
    SHM_ASSIGN(const auto client, counter_.add_client(identity, serial, random_token()));
    client_of_serial_[serial] = client;
    auto text = identity.process;
    if (!identity.other_ids.empty()) text += ", " + identity.other_ids;
    registry_->commit_client(client, row_of(client, true),
                             {.kind = EventKind::client_connected,
                              .pid = identity.credentials.pid,
                              .uid = identity.credentials.uid,
                              .count = static_cast<std::uint32_t>(identity.other_ids.size()),
                              .text = text});
    return client;
}

Result<std::uint32_t> Service::resume_client(const SessionToken& token,
                                             const ClientIdentity& identity) {
    for (const auto client : counter_.clients()) {
        const auto& record = grants_.record(client);
        if (std::memcmp(record.token, token.data(), token.size()) != 0) continue;
        if (!same_process(record, identity))
            return fail(ErrorCode::identity_mismatch, "the session belongs to another process",
                        "connect anew");
        if (record.uid != identity.credentials.uid || record.gid != identity.credentials.gid)
            return fail(changed_ids({record.pid, record.uid, record.gid}, identity.credentials));
        publish_client(client, true);
        told_.erase(record.serial.load(std::memory_order_relaxed));
        const auto who = client_text(record);
        registry_->record(
            {.kind = EventKind::client_resumed, .pid = record.pid, .uid = record.uid, .text = who});
        return client;
    }
    return fail(ErrorCode::registry_lost, "the manager does not know this session any more",
                "connect anew and allocate again");
}

void Service::client_disconnected(std::uint32_t client) {
    publish_client(client, false);
    const auto& record = grants_.record(client);
    give_up_of(record.serial.load(std::memory_order_relaxed));
    const auto who = client_text(record);
    registry_->record({.kind = EventKind::client_disconnected,
                       .pid = record.pid,
                       .uid = record.uid,
                       .text = who});
}

// The event comes in one step with the end of the client's row; a manager killed after that finds a
// record without a row and clears it without a word.
ReferenceCounter::Estate Service::drop(std::uint32_t client) {
    auto left = counter_.estate(client);
    const auto& record = grants_.record(client);
    drop_locks(record, record.serial.load(std::memory_order_relaxed), left);
    const auto who = client_text(record);
    registry_->commit_client(client, ClientRow{},
                             {.kind = EventKind::client_gone,
                              .pid = record.pid,
                              .uid = record.uid,
                              .count = narrow(left.references),
                              .text = who});
    client_of_serial_.erase(record.serial.load(std::memory_order_relaxed));
    policies_.gone(record.serial.load(std::memory_order_relaxed));
    told_.erase(record.serial.load(std::memory_order_relaxed));
    counter_.drop_client(client);
    return left;
}

void Service::orphan(std::uint32_t slot, std::int64_t at) {
    owner_gone_.emplace(slot, at);
    auto word = registry_->control(slot);
    if (word.orphan) return;
    word.orphan = true;
    const auto& fixed = registry_->fixed(slot);
    registry_->commit(
        slot, word,
        {.kind = EventKind::owner_gone,
         .pid = fixed.owner_pid,
         .uid = fixed.owner_uid,
         .text = to_string(static_cast<CleanupPolicy>(registry_->body(slot).cleanup_policy))});
}

bool Service::bury_if_gone(std::uint32_t client) {
    const auto gone = counter_.gone(client);
    if (!gone || !*gone) return false;
    const auto& record = grants_.record(client);
    const auto serial = record.serial.load(std::memory_order_relaxed);
    const auto pid = record.pid;
    const auto uid = record.uid;
    const std::string process(record.process);
    const auto left = drop(client);
    give_up_of(serial);
    const auto at = registry_->time();
    for (const auto slot : registry_->used()) {
        if (registry_->fixed(slot).owner_serial != serial || !registry_->control(slot).occupied())
            continue;
        orphan(slot, at);
        refresh(slot, 0, at);
        evaluate(slot, at);
    }
    for (const auto& entry : left.slots) {
        if (access_audit_.applies(entry.slot)) access_audit_.ended(entry.slot, pid, uid, process);
        refresh(entry.slot, entry.takes, at);
        evaluate(entry.slot, at);
    }
    return true;
}

Status Service::announce(const Caller& caller, std::string_view worker, std::string_view pool,
                         std::string_view session) {
    if (!caller.client)
        return fail(ErrorCode::invalid_argument, "this connection has no lease page",
                    "connect with one to announce a worker");
    auto& record = grants_.record(*caller.client);
    if (!worker.empty()) copy_text(record.worker, worker);
    if (!pool.empty()) copy_text(record.pool, pool);
    if (!session.empty()) copy_text(record.session, session);
    publish_client(*caller.client, true);
    return {};
}

// ------------------------------------------------------------------- counts

bool Service::held(std::uint32_t slot) {
    const auto holders = holders_of(slot);
    return std::any_of(holders.begin(), holders.end(),
                       [](const Holder& h) { return h.references > 0; });
}

void Service::refresh(std::uint32_t slot, std::uint64_t takes, std::optional<std::int64_t> at) {
    figures_.counters.takes += takes;
    if (!registry_->control(slot).occupied()) return;
    SlotStats stats{};
    const auto before = registry_->stats(slot);
    const auto holders = holders_of(slot);
    std::uint64_t references = 0;
    for (const auto& holder : holders) {
        if (holder.references == 0) continue;
        references += holder.references;
        if (stats.holders < std::size(stats.top))
            stats.top[stats.holders] = {
                static_cast<std::uint16_t>(holder.client),
                static_cast<std::uint16_t>(std::min<std::uint64_t>(holder.references, 0xFFFF))};
        ++stats.holders;
    }
    stats.references = narrow(references);
    stats.recorded = before.recorded;
    stats.access_count = before.access_count + takes;
    // Not the mere mark: it stands for a whole group, and a neighbour's must not keep this one
    // young.
    const bool accessed = takes > 0 || stats.references != before.references;
    if (accessed && !at) at = registry_->time();
    stats.last_accessed = accessed ? *at : before.last_accessed;
    const bool changed = std::memcmp(&stats, &before, sizeof stats) != 0;
    if (changed) registry_->write_stats(slot, stats);
    if (digest_of(holders, grants_) != stats.recorded) record_references(slot);
}

// One row a region and second at most; what happens in between is seen in the next. What was
// recorded last is in the registry, so that a manager that is killed before it says so leaves the
// next one to.
void Service::record_references(std::uint32_t slot) {
    auto& note = notes(slot);
    if (note.pending_record) return;  // tick() asks again
    const auto at = boot_micros();
    const auto& ring = registry_->ring();
    if (at - note.recorded_at < kRecordEvery || ring.head() - ring.committed() > kSamplesWait) {
        note.pending_record = true;
        unrecorded_.push_back(slot);
        return;
    }
    if (!registry_->control(slot).occupied()) return;
    const auto holders = holders_of(slot);
    auto stats = registry_->stats(slot);
    const auto digest = digest_of(holders, grants_);
    if (digest == stats.recorded) return;
    std::vector<HolderEntry> entries;
    std::uint64_t references = 0;
    for (const auto& holder : holders) {
        if (holder.references == 0) continue;
        references += holder.references;
        const auto& record = grants_.record(holder.client);
        entries.push_back({record.pid, record.start_time, record.process, narrow(holder.references),
                           holder.access == AccessMode::read_only});
    }
    const auto count = entries.size();
    registry_->record(slot, {.kind = EventKind::references,
                             .count = narrow(references),
                             .value = count,
                             .text = pack_holders(std::move(entries))});
    note.recorded_at = at;
    stats.recorded = digest;
    registry_->write_stats(slot, stats);
}

// --------------------------------------------------------------------- ends

IdleRegion Service::idle_facts(std::uint32_t slot) const {
    const auto word = registry_->control(slot);
    const auto& body = registry_->body(slot);
    IdleRegion facts;
    facts.policy = static_cast<CleanupPolicy>(body.cleanup_policy);
    facts.withdrawn = word.withdrawn || word.state == SlotState::revoked;
    facts.damaged = word.damaged;
    facts.idle_since = registry_->stats(slot).last_accessed;
    facts.timeout_ms = body.timeout_ms;
    const auto& fixed = registry_->fixed(slot);
    facts.worker = fixed.worker;
    facts.session = fixed.session;
    if (const auto gone = owner_gone_.find(slot); gone != owner_gone_.end())
        facts.owner_gone_since = gone->second;
    return facts;
}

void Service::evaluate(std::uint32_t slot, std::int64_t at) {
    const auto word = registry_->control(slot);
    if (word.state == SlotState::quarantined) return evaluate_quarantined(slot, at);
    if (word.state != SlotState::live && word.state != SlotState::revoked) return;
    if (const auto again = access_audit_.settle(slot, at)) schedule(slot, *again);
    if (held(slot)) {
        if (word.withdrawn)
            counter_.close(slot, word.generation);
        else if ((registry_->body(slot).flags & kPolicyPending) != 0)
            policies_.restrict(slot);
        return;
    }
    if (try_seal(slot) || policies_.settle(slot) || rescue(slot)) return;
    const auto verdict = cleaner_.judge(idle_facts(slot), at, false);
    if (verdict.deadline) schedule(slot, *verdict.deadline);
    if (!verdict.due) return;
    const bool keep = config_.quarantine_automatic && config_.quarantine_ms > 0 &&
                      word.state == SlotState::live && !word.withdrawn;
    if (keep)
        (void)enter_quarantine(slot, verdict.reason, {}, at);  // false: held again
    else
        (void)retire(slot, verdict.reason, {});  // a failure is kept in stuck_
}

void Service::evaluate_quarantined(std::uint32_t slot, std::int64_t at) {
    const auto deadline = registry_->body(slot).deadline;
    if (!registry_->control(slot).withdrawn && at < deadline) return schedule(slot, deadline);
    (void)retire(slot, "its quarantine is over", {});  // a failure is kept in stuck_
}

// RETIRING, and no grant is left. False: somebody holds it; it is back where it was.
bool Service::withdraw_grants(std::uint32_t slot) {
    if (access_audit_.applies(slot)) (void)access_audit_.settle(slot, registry_->time(), true);
    const auto before = registry_->control(slot);
    auto word = before;
    word.from_quarantine = before.state == SlotState::quarantined;
    word.state = SlotState::retiring;
    registry_->store(slot, word);
    if (synchronizer_.locked(slot) || !counter_.reclaim(slot, word.generation)) {
        registry_->store(slot, before);
        if (before.withdrawn) counter_.close(slot, word.generation);
        refresh(slot);
        return false;
    }
    return true;
}

Result<bool> Service::retire(std::uint32_t slot, const std::string& reason, const Credentials& by) {
    if (!withdraw_grants(slot)) return false;
    SHM_TRY(finish(slot, reason, by));
    return true;
}

Status Service::finish(std::uint32_t slot, const std::string& reason, const Credentials& by) {
    auto word = registry_->control(slot);
    if (word.state != SlotState::freeing) {
        check_guard_of_ending(slot);      // while its memory is certain to be there
        word.state = SlotState::freeing;  // nobody has a word to take: no way back
        registry_->store(slot, word);
    }
    return give_back(slot, reason, by);
}

void Service::released(std::uint32_t slot, std::uint64_t generation) {
    if (slot >= registry_->frontier() || registry_->control(slot).generation != generation) return;
    const auto at = registry_->time();
    refresh(slot, 0, at);
    evaluate(slot, at);
}

}  // namespace snakepit::shm
