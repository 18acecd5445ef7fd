// SPDX-License-Identifier: MIT
// The command that a tree begins with: starts it, passes signals on to it, and says how it ended.
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

// How the first process and we agree; the command's descriptors and environment have no trace of
// it.
struct GateMessage {
    enum class Step : std::uint8_t { ready, unshare, mount, execute };
    Step step{};
    int error = 0;
};

class Command {
  public:
    // Starts a process that inherits everything from this one and waits. Everything that it starts
    // and that loses its parent becomes our child. From now on the signals that end or concern a
    // program are for the command, until this object ends.
    static Result<Command> start(const TreeOptions& options);
    Command(Command&& other) noexcept;
    Command& operator=(Command&&) = delete;
    ~Command();  // ends the process if it still waits

    std::int64_t pid() const { return pid_; }
    // A child of ours that is not of the command.
    std::int64_t probe() const { return probe_->pid(); }
    // Waits until the process is in its own namespaces, where it wants some. `map_users` is called
    // when the user namespace is there and nobody is mapped into it yet.
    Status prepare(const std::function<Status()>& map_users);
    // Lets it execute the command. An error: why `program` cannot be executed.
    std::optional<Error> release(const std::string& program);

    // Readable when there is something for on_signal().
    int descriptor() const { return signals_.get(); }
    // `is_member`: says whether a process is of the tree. A signal that the command has already, as
    // part of our process group, is not passed on.
    void on_signal(const std::function<bool(std::int64_t)>& is_member);
    // As waitpid() gives it, once it has ended. Orphans that came to us are reaped too.
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
