// SPDX-License-Identifier: MIT
// Policies as they are shown, and as a new manager finds them.
#include <algorithm>

#include <fmt/format.h>

#include "base/pluralize.h"
#include "regions/region_policies.h"

namespace snakepit::shm {

using namespace layout;

namespace {

constexpr std::size_t kNamedClients = 150;  // in one report, which is one frame
constexpr std::size_t kReportBytes = std::size_t{40} * 1024;

}  // namespace

std::string RegionPolicies::note(std::uint32_t slot) const {
    const auto holders = clients_.holders_of(slot);
    const auto held = std::find_if(holders.begin(), holders.end(),
                                   [](const Holder& h) { return h.references > 0; });
    if (held == holders.end()) return "the region is about to move to fresh memory";
    const auto& record = clients_.record(held->client);
    const auto count = std::count_if(holders.begin(), holders.end(),
                                     [](const Holder& h) { return h.references > 0; });
    return fmt::format(
        "{} it since before the policy was changed, or {} it from moving to fresh memory: {} "
        "({}{}{})",
        pluralize(static_cast<std::uint64_t>(count), "process has", "processes have"),
        count == 1 ? "keeps" : "keep", record.process, record.pid,
        record.worker[0] == 0 ? "" : ", worker ", record.worker);
}

PolicyReport RegionPolicies::report(std::uint32_t slot) const {
    const auto& fixed = registry_.fixed(slot);
    const auto& body = registry_.body(slot);
    PolicyReport out;
    out.id = registry_.id(slot);
    out.policy = policy_of(slot);
    out.own = (body.flags & kHasPolicy) != 0;
    out.readable = access(slot).readable;
    out.in_effect = (body.flags & kPolicyPending) == 0;
    if (!out.in_effect) out.note = note(slot);
    out.owner_uid = fixed.owner_uid;
    out.owner_gid = fixed.owner_gid;
    out.level = static_cast<SecurityLevel>(body.security_level);
    out.shares_memory = access(slot).shares_memory;
    add_clients(out, slot);
    return out;
}

void RegionPolicies::add_clients(PolicyReport& out, std::optional<std::uint32_t> slot) const {
    out.roles = state_.security.roles();
    out.service_uid = state_.security.service_uid();
    out.sees_programs = sees_programs_;
    if (!slot) return;
    std::unordered_map<std::uint32_t, Holder> holders;
    for (const auto& held : clients_.holders_of(*slot)) holders.emplace(held.client, held);
    // Holders first, so that they are named if not all can be.
    auto clients = state_.counter.clients();
    std::stable_partition(clients.begin(), clients.end(),
                          [&](std::uint32_t client) { return holders.contains(client); });
    // Everything about each: a policy that might be set may ask more than this one.
    const std::vector<PolicyRule> everything{PolicyRule{{}, {}, "/", 1, 0, {}}};
    auto region = access(*slot);
    region.rules = &everything;
    std::size_t bytes = 0;
    for (const auto client : clients) {
        const auto& record = clients_.record(client);
        PolicyClient entry{
            holder(client, &region),   record.process, false, 0, AccessMode::read_only,
            std::string(record.worker)};
        if (const auto held = holders.find(client); held != holders.end()) {
            entry.holds = true;
            entry.references = held->second.references;
            entry.access = held->second.access;
        }
        bytes += 300 + entry.subject.groups.size() * 11 +
                 (entry.subject.program ? entry.subject.program->path.size() : 0);
        if (bytes > kReportBytes || out.clients.size() == kNamedClients) break;
        out.clients.push_back(std::move(entry));
    }
}

Result<std::string> RegionPolicies::show(const Caller& caller, const std::optional<RegionId>& id) {
    if (!id) {
        PolicyReport defaults;
        defaults.policy = state_.config.policy;
        add_clients(defaults, {});
        return to_json(defaults);
    }
    const auto slot = usable(caller, *id, Operation::tidy);
    if (!slot) return fail(refusals_.refuse(caller, slot.error(), "policy", *id));
    return to_json(report(*slot));
}

// ------------------------------------------------------------------ starting

void RegionPolicies::open() {
    const auto boot = boot_id().value_or(std::string());
    std::string hexadecimal;
    for (const char c : boot) hexadecimal += fmt::format("{:02x}", static_cast<unsigned char>(c));
    store_.emplace(state_.database, hexadecimal);
    // Any process of another user would do; the first one always is there.
    const auto first = identify_process(1, 0);
    sees_programs_ = first && (*first)->program().has_value();
    std::string note;
    auto opened = state_.database->open(note);
    if (!note.empty())
        registry_.record({.kind = EventKind::policy_unreadable,
                          .result = ErrorCode::corruption_detected,
                          .text = note});
    if (!opened)
        registry_.record({.kind = EventKind::policy_unreadable,
                          .result = opened.error().code,
                          .text = opened.error().message});
}

void RegionPolicies::recover() {
    std::string note;
    auto loaded = store_->load(note);
    if (!loaded) note = loaded.error().message;
    if (!note.empty())
        registry_.record({.kind = EventKind::policy_unreadable,
                          .result = ErrorCode::corruption_detected,
                          .text = note});
    std::unordered_map<RegionId, StoredPolicy> rows;
    if (loaded)
        for (auto& row : *loaded) rows.emplace(row.id, std::move(row));
    for (const auto slot : registry_.used())
        if (registry_.intact(slot)) recover_slot(slot, rows);
    for (const auto& [id, row] : rows)
        if (!registry_.find(id) && !state_.allocator.durable.has(id)) (void)store_->remove(id);
}

void RegionPolicies::recover_slot(std::uint32_t slot,
                                  const std::unordered_map<RegionId, StoredPolicy>& rows) {
    const auto& body = registry_.body(slot);
    const bool flagged = (body.flags & kHasPolicy) != 0;
    const auto row = rows.find(registry_.id(slot));
    if (row == rows.end()) {
        if (flagged)
            registry_.record(slot, {.kind = EventKind::policy_unreadable,
                                    .result = ErrorCode::database_unavailable,
                                    .text = "the state database has no row for it"});
        return;
    }
    const auto& stored = row->second;
    if (!flagged || revision_of(body) != stored.revision) {
        if (!registry_.control(slot).occupied()) return;
        return publish(slot, stored.policy, stored.revision,
                       {stored.changed_by_pid, stored.changed_by_uid, 0});
    }
    policies_.insert_or_assign(stored.id, Entry{stored.policy, stored.revision});
    // The description may already say what a move that was cut off would have changed.
    if ((body.flags & kDurable) != 0 && (body.flags & kPolicyPending) != 0)
        (void)state_.allocator.durable.save(registry_.fixed(slot), body, registry_.metadata(slot),
                                            registry_.name(slot));
}

}  // namespace snakepit::shm
