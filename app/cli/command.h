// SPDX-License-Identifier: MIT
// What every command of snakepit-shm shares: its options, how it ends, how it reaches the manager.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "base/ids.h"
#include "base/result.h"
#include "client/manager_client.h"

namespace snakepit::shm::cli {

// What scripts rely on.
enum ExitStatus : int {
    kDone = 0,
    kFailed = 1,
    kWrongWords = 2,
    kNoManager = 3,
    kDenied = 4,
    kProblemsFound = 5,
};

// Filled in while the words are parsed; `action` is the chosen command, run afterwards.
struct Context {
    std::string instance;  // empty: SNAKEPIT_SHM_INSTANCE, else "default"
    bool json = false;
    std::function<Result<int>()> action;
    std::vector<std::string> command;  // of `run`: a program and its arguments
    // Those that main() ignores although who started us did not.
    std::vector<int> ignored_signals;
};

// A command with the options that every command has. `context` outlives the App.
CLI::App* add_command(CLI::App& app, Context& context, const std::string& name,
                      const std::string& description);

// The same, without --json and --instance in its help and in no list: for processes we start
// ourselves.
CLI::App* add_hidden_command(CLI::App& app, Context& context, const std::string& name);

// The commands within `app` that are in its help.
std::vector<std::string_view> command_names(const CLI::App& app);
// With the nearest of them, where one is near.
Error unknown_command(const CLI::App& app, const std::string& word);

Result<std::unique_ptr<ManagerClient>> connect(const Context& context, bool lease = false);

// 3 for a missing manager, 4 where permission is denied, 2 where the words of the command line are
// wrong, else 1: what is not there, or cannot be read, is a failure.
int exit_status_of(const Error& error);

// What the words name, in their order; the first that is no id is refused.
Result<std::vector<RegionId>> parse_ids(const std::vector<std::string>& words);

Result<int> print_version(const Context& context);

void add_serve(CLI::App& app, Context& context);
void add_status(CLI::App& app, Context& context);
void add_stats(CLI::App& app, Context& context);
void add_top(CLI::App& app, Context& context);
void add_list(CLI::App& app, Context& context);
void add_info(CLI::App& app, Context& context);
void add_allocate(CLI::App& app, Context& context);
void add_contents(CLI::App& app, Context& context);
void add_defragment(CLI::App& app, Context& context);
void add_deallocate(CLI::App& app, Context& context);
void add_cleanup(CLI::App& app, Context& context);
void add_restore(CLI::App& app, Context& context);
void add_locks(CLI::App& app, Context& context);
void add_policy(CLI::App& app, Context& context);
void add_key(CLI::App& app, Context& context);
void add_events(CLI::App& app, Context& context);
void add_audit(CLI::App& app, Context& context);
void add_config(CLI::App& app, Context& context);
void add_health(CLI::App& app, Context& context);
void add_diagnose(CLI::App& app, Context& context);
void add_dump(CLI::App& app, Context& context);
void add_demo(CLI::App& app, Context& context);
void add_alerts(CLI::App& app, Context& context);
void add_metrics(CLI::App& app, Context& context);
void add_about(CLI::App& app, Context& context);

}  // namespace snakepit::shm::cli
