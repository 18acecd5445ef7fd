// SPDX-License-Identifier: MIT
// A signed history, and a hand that edits it.
#pragma once

#include <sqlite3.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "audit/verifier.h"
#include "event_fixture.h"
#include "events/event_recorder.h"

namespace snakepit::shm::testing {

struct AuditFixture : EventFixture {
    std::shared_ptr<const SigningKey> key = make_key();

    static std::shared_ptr<const SigningKey> make_key() {
        auto made = SigningKey::generate();
        if (!made) std::abort();
        return std::make_shared<const SigningKey>(std::move(*made));
    }
    std::string head() const { return directory() + "/audit.head"; }
    EventRecorder::Audit audit() const { return {key, head()}; }

    // Records `count` more events of a few regions, with a recorder of its own.
    void record(int count) {
        for (int i = 0; i < count; ++i) {
            auto entry = make_entry(EventKind::allocated, "python3", 0, 4096);
            ring.append(about(entry, {1'700'000'000'000'000ULL + static_cast<unsigned>(i % 5), 7}));
        }
        const EventRecorder recorder(ring, epoch, path(), audit());
    }
    AuditVerdict verdict(bool head_expected = true) const {
        auto verdict = verify_history(path(), key->public_key(), head_expected);
        if (!verdict) {
            AuditVerdict none;
            none.problems = 999;
            none.findings.push_back({{}, 0, 0, {}, {}, verdict.error().sentence()});
            return none;
        }
        return *verdict;
    }
};

// What sqlite3 would do with these words. False: it refused.
inline bool edit(const std::string& path, const std::string& sql) {
    sqlite3* raw = nullptr;
    sqlite3_open(path.c_str(), &raw);
    sqlite3_busy_timeout(raw, 10'000);
    const bool done = sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
    sqlite3_close(raw);
    return done;
}

}  // namespace snakepit::shm::testing
