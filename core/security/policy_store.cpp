// SPDX-License-Identifier: MIT
#include "security/policy_store.h"

#include <fmt/format.h>

#include "security/policy_text.h"

namespace snakepit::shm {

Result<std::vector<StoredPolicy>> PolicyStore::load(std::string& note) {
    std::vector<StoredPolicy> out;
    SHM_TRY(database_->run([&](SQLite::Database& database) {
        SQLite::Statement rows(database,
                               "SELECT region_id, policy, revision, boot, changed_at, "
                               "changed_by_uid, changed_by_pid FROM policies");
        while (rows.executeStep()) {
            const auto id = RegionId::parse(rows.getColumn(0).getString());
            auto policy = parse_policy(rows.getColumn(1).getString(), "its row");
            if (!id || !policy) {
                note = fmt::format("{}: {}", rows.getColumn(0).getString(),
                                   id ? policy.error().message : id.error().message);
                continue;
            }
            if (rows.getColumn(3).getString() != boot_)
                for (auto& rule : policy->rules)
                    if (rule.process != 0) rule.process_start = -1;
            out.push_back({*id, static_cast<std::uint32_t>(rows.getColumn(2).getInt64()),
                           std::move(*policy), Timestamp{rows.getColumn(4).getInt64()},
                           static_cast<std::uint32_t>(rows.getColumn(5).getInt64()),
                           rows.getColumn(6).getInt64()});
        }
    }));
    return out;
}

Status PolicyStore::save(const StoredPolicy& row, bool lasting) {
    return database_->run(
        [&](SQLite::Database& database) {
            SQLite::Statement insert(
                database,
                "INSERT OR REPLACE INTO policies(region_id, policy, revision, boot, changed_at, "
                "changed_by_uid, changed_by_pid) VALUES(?,?,?,?,?,?,?)");
            insert.bind(1, row.id.str());
            insert.bind(2, to_json(row.policy));
            insert.bind(3, static_cast<std::int64_t>(row.revision));
            insert.bind(4, boot_);
            insert.bind(5, static_cast<std::int64_t>(row.changed_at.micros));
            insert.bind(6, static_cast<std::int64_t>(row.changed_by_uid));
            insert.bind(7, static_cast<std::int64_t>(row.changed_by_pid));
            insert.exec();
        },
        lasting);
}

Status PolicyStore::remove(const RegionId& id) {
    return database_->run(
        [&](SQLite::Database& database) {
            SQLite::Statement statement(database, "DELETE FROM policies WHERE region_id=?");
            statement.bind(1, id.str());
            statement.exec();
        },
        false);  // a row that stays is removed at the next start
}

}  // namespace snakepit::shm
