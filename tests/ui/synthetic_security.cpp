// SPDX-License-Identifier: GPL-3.0-or-later
// Policies, keys and the history of the synthetic world.
#include <cmath>

#include "synthetic.h"

namespace snakepit::shm::ui {

namespace {

constexpr std::int64_t kHour = 3'600'000'000;
constexpr std::uint32_t kStranger = 7;

PolicyClient client_of(const ClientInfo& info, std::uint32_t uid, std::uint64_t references) {
    PolicyClient client;
    client.subject.credentials = {info.pid, uid, uid};
    client.subject.start_time = 1;
    client.process = info.process;
    client.holds = references > 0;
    client.references = references;
    return client;
}

PublicKey some_key() {
    PublicKey key{};
    for (std::size_t i = 0; i < key.size(); ++i) key[i] = std::byte(17 + i * 7);
    return key;
}

}  // namespace

Result<PolicyReport> SyntheticManager::policy(const RegionId& id) {
    SHM_ASSIGN(const auto known, info(id));
    PolicyReport report;
    report.id = id;
    report.policy.permissions = known.permissions;
    if (const auto own = policies.find(id); own != policies.end()) {
        report.policy = own->second;
        report.own = true;
    }
    report.owner_uid = report.owner_gid = known.owner_uid;
    report.level = known.security_level;
    // The first is a stranger that holds the region, the others are its user's.
    bool stranger = true;
    for (const auto& client : world_.clients()) {
        report.clients.push_back(
            client_of(client, stranger ? kStranger : known.owner_uid, stranger ? 2 : 0));
        stranger = false;
    }
    return report;
}

Result<PolicyReport> SyntheticManager::set_policy(const RegionId& id, const Policy& policy) {
    if (refusal) {
        auto error = std::move(*refusal);
        refusal.reset();
        return fail(std::move(error));
    }
    policies[id] = policy;
    return this->policy(id);
}

Result<std::uint32_t> SyntheticManager::rotate_key(const RegionId& id) {
    rotations.push_back(id);
    return 2;
}

Result<AuditVerdict> SyntheticAudit::verify() {
    return make_report(genuine).verdict;
}

Result<PublicKey> SyntheticAudit::write(const ReportOrder& order, ReportProgress& progress) {
    orders.push_back(order);
    progress.bytes += 4096;
    return some_key();
}

ReportContents make_report(bool genuine) {
    ReportContents report;
    report.instance = "default";
    report.made = now();
    report.key = some_key();
    auto& verdict = report.verdict;
    verdict.key = report.key;
    verdict.rows = 52'310;
    verdict.first = 1;
    verdict.last = 52'310;
    verdict.proven_first = 1;
    verdict.proven_last = genuine ? 52'310 : 20'417;
    verdict.checkpoints = 812;
    if (!genuine) {
        verdict.problems = 2;
        verdict.findings = {
            {AuditProblem::changed, 20'418, 20'418, report.made, "refused",
             "row 20418 is not as it was recorded"},
            {AuditProblem::missing, 31'002, 31'009, {}, "", "rows 31002 to 31009 are missing"}};
    }
    auto& summary = report.summary;
    summary.rows = 4'218;
    summary.first_seq = 48'093;
    summary.last_seq = 52'310;
    summary.last = report.made;
    summary.first = {report.made.micros - 24 * kHour};
    summary.kinds = {{"allocated", 1204}, {"mapped", 1377},   {"freed", 1190},
                     {"refused", 61},     {"cleanup", 24},    {"policy_changed", 9},
                     {"accessed", 322},   {"key_rotated", 3}, {"client_connected", 28}};
    summary.results = {{"ok", 4'157}, {"permission_denied", 61}};
    summary.users = {{0, 210}, {33, 3'700}, {7, 308}};
    auto& graphs = summary.graphs;
    graphs.from = summary.first;
    graphs.to = summary.last;
    for (const char* kind : {"mapped", "allocated", "freed", "accessed", "refused"}) {
        std::vector<std::uint64_t> parts;
        for (std::size_t i = 0; i < kGraphPoints; ++i)
            parts.push_back(static_cast<std::uint64_t>(
                12 + 9 * std::sin(static_cast<double>(i) / 7 + kind[0]) + (i * 7) % 5));
        graphs.events.emplace_back(kind, std::move(parts));
    }
    for (std::size_t i = 0; i < kGraphPoints; ++i) {
        const auto wave = 1.2 + std::sin(static_cast<double>(i) / 11);
        graphs.regions.push_back(static_cast<std::uint64_t>(60 * wave));
        graphs.bytes.push_back(static_cast<std::uint64_t>(480e6 * wave));
    }
    return report;
}

}  // namespace snakepit::shm::ui
