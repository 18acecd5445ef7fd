// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <QTimer>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "ui/models/background.h"
#include "ui/models/commands.h"
#include "ui/models/configuration.h"
#include "ui/models/past.h"
#include "ui/models/region_store.h"
#include "ui/models/sources.h"
#include "ui/models/tick_backlog.h"
#include "ui/models/timing_history.h"

namespace snakepit::shm::ui {

// How the monitor stands to the manager.
enum class Link {
    connecting,  // nothing was read yet
    connected,   // its heart beats
    silent,      // the registry is readable, the heart stopped
    absent,      // there is no registry
    bundle,      // there is none to be reached: a bundle is shown
};

// Of a diagnostic bundle: its file's name, the host it is from, when it was made.
struct BundleLabel {
    QString file, host;
    Timestamp at;
};

// A stretch of time that graphs, events and tables are limited to.
struct Period {
    Timestamp from, to;
    friend bool operator==(const Period&, const Period&) = default;
};

// Everything the pages share: the regions, clients and samples as of the last tick, what is
// selected, and the ways to ask and to act. GUI thread; polling and asking happen on worker
// threads.
class Workspace : public QObject {
    Q_OBJECT
  public:
    struct Parts {
        std::unique_ptr<RegionSource> regions;
        EventSourceFactory events;
        std::shared_ptr<ManagerPort> manager;
        std::shared_ptr<AuditPort> audit;
        std::shared_ptr<MonitoringPort> monitoring;        // null: nothing is known of alerts
        std::shared_ptr<HostPort> host;                    // null: the host cannot be surveyed
        std::shared_ptr<ConfigurationPort> configuration;  // null: there is none to be shown
        std::shared_ptr<HistoryPort> history;              // null: no metrics were recorded
        BundleRegionsReader bundle_reader;                 // of other bundles
        std::optional<BundleLabel> bundle;  // the world is one, as it was, and stays so
    };
    Workspace(QString instance, Parts parts, QObject* parent = nullptr);

    void start() { poll(); }
    void set_watched(bool watched);  // false: nobody looks; once a second is enough
    // While paused, everything stays as it was at that moment; what comes is collected.
    void set_paused(bool paused);
    bool paused() const { return pause_.has_value(); }
    struct Pause {
        Timestamp since;
        std::uint64_t came = 0, went = 0;  // regions
    };
    const std::optional<Pause>& pause() const { return pause_; }
    // Everything stays at that moment, with what was recorded of it; what comes is collected.
    void show_past(Past past);
    void show_live();
    const std::optional<Past>& past() const { return past_; }
    // The moment that is shown does not go on by itself.
    bool held() const { return pause_ || past_; }
    // What happened later is not part of what is shown; up to a past moment, that one included.
    std::optional<Timestamp> shown_until() const {
        if (past_) return Timestamp{past_->state.moment.micros + 1};
        return pause_ ? std::optional(pause_->since) : std::nullopt;
    }
    // The right end of every graph: now, or when the pause began or the bundle was made.
    Timestamp end_of_time() const;
    // The metrics reach back to there; 0: not known yet, or there are none.
    Timestamp first_measured() const { return first_measured_; }
    void set_first_measured(Timestamp first) { first_measured_ = first; }
    const std::optional<Period>& period() const { return period_; }
    void set_period(std::optional<Period> period);
    // The regions that exist now, whatever is shown.
    std::shared_ptr<const std::vector<RegionInfo>> present() const;
    std::shared_ptr<HistoryPort> history_port() const { return parts_.history; }
    std::shared_ptr<ManagerPort> manager_port() const { return parts_.manager; }

    const QString& instance() const { return instance_; }
    RegionStore& regions() { return regions_; }
    const std::vector<ClientInfo>& clients() const { return clients_; }
    const std::deque<layout::Sample>& samples() const { return samples_; }
    // Null: there is none, or none of the past moment that is shown.
    const layout::Sample* latest() const {
        return samples_.empty() || (past_ && !past_->measured) ? nullptr : &samples_.back();
    }
    Link link() const { return link_; }
    const std::optional<BundleLabel>& bundle() const { return parts_.bundle; }
    bool can_act() const { return !parts_.bundle && !past_; }
    QString why_not() const;                             // of can_act()
    const QString& problem() const { return problem_; }  // why it is absent
    std::int64_t manager_pid() const { return manager_pid_; }
    Timestamp started_at() const { return started_at_; }
    Timestamp heartbeat() const { return heartbeat_; }
    std::uint64_t event_head() const { return event_head_; }
    std::uint64_t events_lost() const { return events_lost_; }
    const TimingHistory& timings() const { return timings_; }
    std::unique_ptr<EventSource> event_source() const { return parts_.events(); }
    const BundleRegionsReader& bundle_reader() const { return parts_.bundle_reader; }

    // Asks or acts on a worker thread; `done` is not called once `context` is gone.
    template <typename Job, typename Done>
    void ask(QObject* context, Job job, Done done) {
        asking_.run(
            context, [port = parts_.manager, job = std::move(job)] { return job(*port); },
            std::move(done));
    }
    template <typename Job, typename Done>
    void act(QObject* context, Job job, Done done) {
        acting_.run(
            context, [port = parts_.manager, job = std::move(job)] { return job(*port); },
            std::move(done));
    }

    // What reads the whole history, on a thread of its own: it may take long.
    template <typename Job, typename Done>
    void audit(QObject* context, Job job, Done done) {
        auditing_.run(
            context, [port = parts_.audit, job = std::move(job)] { return job(*port); },
            std::move(done));
    }

    // Only where there is a history_port().
    template <typename Job, typename Done>
    void read_history(QObject* context, Job job, Done done) {
        reading_.run(
            context, [port = parts_.history, job = std::move(job)] { return job(*port); },
            std::move(done));
    }

    bool has_monitoring() const { return parts_.monitoring != nullptr; }
    bool has_host() const { return parts_.host != nullptr; }
    // Only where there is such a port; each on a thread of its own.
    template <typename Job, typename Done>
    void monitor(QObject* context, Job job, Done done) {
        monitoring_.run(
            context, [port = parts_.monitoring, job = std::move(job)] { return job(*port); },
            std::move(done));
    }
    bool has_configuration() const { return parts_.configuration != nullptr; }
    template <typename Job, typename Done>
    void configure(QObject* context, Job job, Done done) {
        configuring_.run(
            context, [port = parts_.configuration, job = std::move(job)] { return job(*port); },
            std::move(done));
    }
    template <typename Job, typename Done>
    void survey(QObject* context, Job job, Done done) {
        surveying_.run(
            context, [port = parts_.host, job = std::move(job)] { return job(*port); },
            std::move(done));
    }

    const std::vector<RegionKey>& selection() const { return selection_; }
    // Of the selection: how many a filter hides from who selected them. They are the last ones.
    std::size_t selection_hidden() const { return selection_hidden_; }
    void select(std::vector<RegionKey> keys, std::size_t hidden = 0);
    // Command lines name the instance unless it is the default.
    QString command(const QString& words) const { return command_line(words); }
    QString commands_title() const;  // of a bundle they belong elsewhere
    // Above why something is not shown: `otherwise` where a manager did not answer.
    QString unknown_title(const QString& otherwise) const {
        return parts_.bundle ? tr("Not included in this bundle") : otherwise;
    }
    // "at 2026-11-28 14:03:21 CET"; empty: now is shown.
    QString past_words() const;

  Q_SIGNALS:
    void ticked();  // up to 4 times a second
    void second_passed();
    void link_changed();
    void pause_changed();   // also once a second while it lasts
    void moment_changed();  // another past moment is shown, or now again
    void moment_wanted(Timestamp moment);
    void period_changed();
    void selection_changed();
    void show_events_of(const QString& region_id);
    void show_events_of_kind(EventKind kind);
    void show_region(const QString& region_id);
    void show_regions(const QString& filter);
    void policy_set(const QString& region_id);  // by this window, or seen in the events

  private:
    void poll();
    void receive(Result<SourceTick> result);
    void take(SourceTick tick);
    void set_link(Link link, const QString& problem);
    SourceTick shown_tick() const;  // without regions
    SourceTick tick_of(const Past& past);
    void show_moment_of(Past past);
    void leave_past();
    void announce_moment();

    QString instance_;
    Parts parts_;
    std::shared_ptr<RegionSource> source_;
    RegionStore regions_;
    std::vector<ClientInfo> clients_;
    std::deque<layout::Sample> samples_;
    std::vector<RegionKey> selection_;
    std::size_t selection_hidden_ = 0;
    Link link_ = Link::connecting;
    QString problem_;
    std::int64_t manager_pid_ = 0;
    Timestamp started_at_, heartbeat_;
    std::uint64_t event_head_ = 0, events_lost_ = 0;
    TimingHistory timings_;
    std::int64_t last_second_ = 0;
    std::optional<Pause> pause_;
    std::optional<Past> past_;
    std::optional<Past> entering_;         // shown in the next turn, as past_
    std::optional<SourceTick> leaving_;    // what is live, shown in the next turn
    std::shared_ptr<PastRows> past_rows_;  // while past_ or entering_
    std::optional<Period> period_;
    Timestamp first_measured_;
    TickBacklog backlog_;
    bool watched_ = true;
    QTimer timer_;
    Background asking_, acting_, auditing_, monitoring_, surveying_, configuring_, reading_,
        polling_;
};

}  // namespace snakepit::shm::ui
