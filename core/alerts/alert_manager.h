// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "alerts/alert_options.h"
#include "alerts/alert_state.h"
#include "alerts/alert_store.h"
#include "alerts/notification_dispatcher.h"
#include "registry/region_registry.h"

namespace snakepit::shm {

// The process that makes a request about alerts.
struct AlertCaller {
    std::int64_t pid = 0;
    std::uint32_t uid = 0;
};

// The Alert Manager. Once a second it evaluates the rules with the sample and the events since the
// last evaluation. Each change is an event and a row of state.db; the receivers are notified when
// the row is saved, or cannot be. It never waits for the disk or for a receiver. Service thread.
//
// Across a kill: a row records that its alert is notified before the receivers are, so that no
// restart notifies twice, and the next manager sends what was not. Firing alerts are in the
// database and go on with the next manager, whose first evaluations resolve those that ended
// meanwhile. Events are observed from where the last batch ended; earlier ones only fill the
// windows again. A reboot begins with a new ring.
class AlertManager {
  public:
    using Done = std::function<void(Result<std::string>)>;
    // `post` runs a function on the service thread, also when it is called there.
    using Post = std::function<void(std::function<void()>)>;

    AlertManager(RegionRegistry& registry, std::shared_ptr<StateDatabase> database, Post post);
    ~AlertManager();  // writes what is not saved yet
    AlertManager(const AlertManager&) = delete;
    AlertManager& operator=(const AlertManager&) = delete;

    void configure(const AlertOptions& options);
    void evaluate(const layout::Sample& sample, std::span<const SubjectValue> subjects);
    // See alert_api.h. `done` is called on this thread, now or later.
    void request(const AlertCaller& caller, const std::string& action, const std::string& arguments,
                 Done done);

    std::uint64_t firing() const { return state_->firing(); }
    std::uint64_t unacknowledged() const { return state_->unacknowledged(); }
    // Pending or firing; the worst first.
    std::vector<Alert> live() const { return state_->live(); }
    // {"enabled":…,"firing":…,"unacknowledged":…,"problem":…,"hooks":[…]}, for `status`.
    std::string state_json() const;

  private:
    void start(Result<AlertSnapshot> loaded);
    void close_orphaned(const AlertSnapshot& stored);
    void mark_notified(const Notification& notification, std::function<void()> then);
    void follow_clock();
    // Visits the events from `first` to `last` that a rule wants, with the times that they would
    // have by the wall clock as it is set now.
    template <typename Visit>
    void each_event(std::uint64_t first, std::uint64_t last, Visit visit);
    void read_events(Timestamp at, std::vector<AlertChange>& changes);
    void refill(const std::string& rule);
    // Records, writes and notifies what changed.
    void publish(const std::vector<AlertChange>& changes, Timestamp at);
    void write(AlertBatch batch, std::vector<Alert> notify);
    void record(EventKind kind, const AlertCaller& by, std::uint64_t number, std::string_view rule,
                std::string_view subject, std::uint32_t count = 0);
    void receiver_reported(const ReceiverReport& report);

    // alert_manager_api.cpp
    void history(const std::string& arguments, const Done& done);
    Result<std::string> rules_page(const std::string& arguments) const;
    void acknowledge(const AlertCaller& caller, const std::string& arguments, Done done);
    void silence(const AlertCaller& caller, const std::string& arguments, Done done);
    void unsilence(const AlertCaller& caller, const std::string& arguments, Done done);
    void set_rule(const AlertCaller& caller, const std::string& json, Done done);
    void remove_rule(const AlertCaller& caller, const std::string& arguments, Done done);
    // Writes and then answers. A change stays applied in memory if it cannot be saved.
    void write_and_answer(AlertBatch batch, std::string answer, Done done);

    RegionRegistry& registry_;
    Post post_;
    AlertOptions options_;
    std::unique_ptr<AlertState> state_;
    std::uint64_t position_ = 0;  // the last event that the rules observed
    std::int64_t position_saved_at_ = 0;
    std::uint64_t position_saved_ = 0;
    std::int64_t wall_shift_ = 0;          // the registry's, for silences and windows
    std::string note_;                     // rows that could not be read at the start
    std::vector<AlertChange> orphaned_;    // resolved at the start; until configure()
    std::vector<Alert> pending_resolved_;  // to be notified; until configure()
    std::unique_ptr<AlertStore> store_;
    std::unique_ptr<NotificationDispatcher> dispatcher_;
};

}  // namespace snakepit::shm
