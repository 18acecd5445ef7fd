// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "alerts/alert_book.h"
#include "alerts/alert_clerk.h"
#include "alerts/alert_options.h"
#include "alerts/alert_teller.h"
#include "registry/region_registry.h"

namespace snakepit::shm {

// Who asks something about alerts.
struct AlertAsker {
    std::int64_t pid = 0;
    std::uint32_t uid = 0;
};

// The specification's Alert Manager. Once a second it shows the rules the sample and the events
// since the last look; what that changes is an event, is written by the clerk, and is told to the
// hooks when it is written (or cannot be). Nothing here waits for the disk or for whoever is told.
// Service thread only.
//
// Across a kill: hooks hear of an alert when its row says that they do, so no restart tells it
// again, and what was not told yet the next manager tells. What fires is in the database and goes
// on with the next manager, whose first looks resolve what was mended meanwhile. Events are shown
// to the rules from where the last batch says they were; what came before that only fills the
// windows again. A reboot begins with a new ring.
class AlertManager {
  public:
    using Done = std::function<void(Result<std::string>)>;
    // `post` runs something on the service thread, also when it is called there.
    using Post = std::function<void(std::function<void()>)>;

    AlertManager(RegionRegistry& registry, const std::string& state_db, Post post);
    ~AlertManager();  // writes what there is to write
    AlertManager(const AlertManager&) = delete;
    AlertManager& operator=(const AlertManager&) = delete;

    void configure(const AlertOptions& options);
    void look(const layout::Sample& sample, std::span<const SubjectValue> subjects);
    // See alert_requests.h. `done` is called here, now or later.
    void request(const AlertAsker& asker, const std::string& action, const std::string& arguments,
                 Done done);

    std::uint64_t firing() const { return book_->firing(); }
    std::uint64_t unacknowledged() const { return book_->unacknowledged(); }
    // Pending or firing; the worst first.
    std::vector<Alert> live() const { return book_->live(); }
    // {"enabled":…,"firing":…,"unacknowledged":…,"problem":…,"hooks":[…]}, for `status`.
    std::string state_json() const;

  private:
    void start(Result<AlertMemory> memory);
    void close_lost(const AlertMemory& memory);
    void mark_told(const AlertMessage& message, std::function<void()> then);
    // Takes everything along when the wall clock was set.
    void follow_clock();
    void read_events(Timestamp at, std::vector<AlertChange>& changes);
    void refill(const std::string& rule);
    // Records, writes and tells what changed.
    void publish(const std::vector<AlertChange>& changes, Timestamp at);
    void write(AlertBatch batch, std::vector<Alert> tell);
    void record(EventKind kind, const AlertAsker& by, std::uint64_t number, std::string_view rule,
                std::string_view subject, std::uint32_t count = 0);
    void hook_reported(const HookReport& report);

    void history(const std::string& arguments, const Done& done);
    Result<std::string> rules_page(const std::string& arguments) const;
    void acknowledge(const AlertAsker& asker, const std::string& arguments, Done done);
    void silence(const AlertAsker& asker, const std::string& arguments, Done done);
    void unsilence(const AlertAsker& asker, const std::string& arguments, Done done);
    void set_rule(const AlertAsker& asker, const std::string& json, Done done);
    void remove_rule(const AlertAsker& asker, const std::string& arguments, Done done);
    // Writes and then answers; what holds in memory holds also if it cannot be written.
    void write_and_answer(AlertBatch batch, std::string answer, Done done);

    RegionRegistry& registry_;
    Post post_;
    AlertOptions options_;
    std::unique_ptr<AlertBook> book_;
    std::uint64_t position_ = 0;  // the last event that was shown to the rules
    std::int64_t position_saved_at_ = 0;
    std::uint64_t position_saved_ = 0;
    std::int64_t wall_shift_ = 0;    // the registry's, that silences and windows are of
    std::string note_;               // what could not be read at the start
    std::vector<AlertChange> lost_;  // resolved by nobody but the start; until configure()
    std::vector<Alert> untold_ends_;
    std::unique_ptr<AlertClerk> clerk_;
    std::unique_ptr<AlertTeller> teller_;
};

}  // namespace snakepit::shm
