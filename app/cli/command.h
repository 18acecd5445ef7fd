// SPDX-License-Identifier: MIT
// What every command of snakepit-shm shares: its options, how it ends, how it reaches the manager.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "client/manager_client.h"
#include "command_tree.h"

namespace snakepit::shm::cli {

// What scripts rely on.
enum ExitStatus : int {
    kDone = 0,
    kFailed = 1,
    kUsageError = 2,
    kNoManager = 3,
    kDenied = 4,
    kProblemsFound = 5,
};

// The options that every command has, and what main() knows of the process.
struct Context {
    std::string instance;  // empty: SNAKEPIT_SHM_INSTANCE, else "default"
    bool json = false;
    std::string color = "auto";
    std::string via;           // the command that leads to another machine; empty: this one
    int patience_ms = 10'000;  // longest that any one request waits for the manager
    std::vector<std::string>
        raw_words;  // of `run`: a program and its arguments; of `complete`: a line
    // Signals that main() ignores and the parent process did not.
    std::vector<int> ignored_signals;
};

Result<std::unique_ptr<ManagerClient>> connect(const Context& context, bool lease = false);

// A connection, and the regions that `words` name, in their order. A word is an id, a name (of
// another user's region USER/NAME), or the beginning or end of an id, with or without "shm_": the
// first of these that there is. What cannot be one is refused before the manager is asked.
struct ConnectedTo {
    std::unique_ptr<ManagerClient> client;
    std::vector<RegionId> ids;
};
Result<ConnectedTo> connect_to(const Context& context, const std::vector<std::string>& words,
                               bool lease = false);
// The event database knows it, also when the region was freed and when no manager runs. Of several
// regions that had a name one after the other it is the last.
Result<RegionId> find_recorded_region(const std::string& events_db, const std::string& word);

// 3 for a missing manager, 4 where permission is denied, 2 for a usage error, else 1: what does not
// exist or cannot be read is a failure.
int exit_status_of(const Error& error);

// Words of a filter as one text.
std::string joined(const std::vector<std::string>& words);

Result<int> print_version(const Context& context);

// Runs what `words` say on the machine that --via leads to.
Result<int> run_via(const Context& context, const Command& root,
                    const std::vector<std::string>& words);

void add_serve(Command& app);
void add_status(Command& app);
void add_stats(Command& app);
void add_top(Command& app);
void add_list(Command& app);
void add_info(Command& app);
void add_wait(Command& app);
void add_allocate(Command& app);
void add_contents(Command& app);
void add_defragment(Command& app);
void add_deallocate(Command& app);
void add_cleanup(Command& app);
void add_restore(Command& app);
void add_locks(Command& app);
void add_policy(Command& app);
void add_key(Command& app);
void add_events(Command& app);
void add_audit(Command& app);
void add_config(Command& app);
void add_health(Command& app);
void add_diagnose(Command& app);
void add_dump(Command& app);
void add_host(Command& app);
void add_run(Command& app);
void add_demo(Command& app);
void add_alerts(Command& app);
void add_metrics(Command& app);
void add_compare(Command& app);
void add_about(Command& app);
void add_relay(Command& app);
void add_completions(Command& app);

}  // namespace snakepit::shm::cli
