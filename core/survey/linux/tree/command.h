// SPDX-License-Identifier: MIT
// The root command of a tree: starts it, forwards signals and reports how it ended.
#pragma once

#include <signal.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/handle.h"
#include "base/result.h"
#include "survey/linux/tree/group_probe.h"
#include "survey/process_tree.h"

namespace snakepit::shm::survey {

// The synchronisation with the first process; it leaves no trace in the command's descriptors and
// environment.
struct GateMessage {
    enum class Step : std::uint8_t { ready, unshare, mount, execute };
    Step step{};
    int error = 0;
};

class Command {
  public:
    // Starts a process that inherits everything from this one, and waits. Its orphaned descendants
    // become our children. From now on, until this object ends, termination signals and other
    // program signals are forwarded to the command.
    static Result<Command> start(const TreeOptions& options);
    Command(Command&& other) noexcept;
    Command& operator=(Command&&) = delete;
    ~Command();  // ends the process if it is still waiting

    std::int64_t pid() const { return pid_; }
    // A child of ours that does not belong to the command.
    std::int64_t probe() const { return probe_->pid(); }
    // Waits until the process is in its own namespaces, if requested. `map_users` is called when
    // the user namespace exists and has no mapping yet.
    Status prepare(const std::function<Status()>& map_users);
    // Executes the command. An error says why `program` cannot be executed.
    std::optional<Error> release(const std::string& program);

    // Readable when on_signal() should be called.
    int descriptor() const { return signals_.get(); }
    // `is_member`: whether a process belongs to the tree. A signal that the command already
    // received, as part of our process group, is not forwarded.
    void on_signal(const std::function<bool(std::int64_t)>& is_member);
    // The status from waitpid(), once it has ended. Also reaps orphans.
    std::optional<int> ended() const { return status_; }

  private:
    Command() = default;
    Result<GateMessage> next_message();
    void reap();
    void stop_with_it() const;
    void pass_on(int signal, std::int64_t sender, bool from_process,
                 const std::function<bool(std::int64_t)>& is_member);

    std::int64_t pid_ = 0;
    std::optional<GroupProbe> probe_;
    Handle gate_, signals_;
    sigset_t mask_before_{};
    struct sigaction child_before_ {};
    std::optional<int> status_;
};

}  // namespace snakepit::shm::survey
