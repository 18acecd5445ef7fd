// SPDX-License-Identifier: MIT
#include "monitoring/telemetry_manager.h"

#include <utility>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <map>
#include <mutex>

#include <fmt/format.h>

#include "monitoring/event_journal.h"
#include "platform/background_thread.h"
#include "platform/replace_file.h"
#include "security/name_resolver.h"
#include "telemetry/http_endpoint.h"
#include "telemetry/metrics_source.h"

namespace snakepit::shm {

namespace {

constexpr auto kRetry = std::chrono::seconds(10);  // of a listen that failed
constexpr auto kGlance = std::chrono::seconds(1);  // between two looks for events
constexpr std::size_t kEventsAtOnce = 1024;
constexpr std::string_view kListen = "metrics over HTTP", kFile = "the metrics file",
                           kJournal = "events to the journal", kRegistry = "the registry";

constexpr std::string_view kIndex =
    "Snakepit SHM: a shared-memory manager\n\n"
    "/metrics    what it measures, for Prometheus (text, or OpenMetrics if you accept that)\n"
    "/-/healthy  200 while it does its work, 503 otherwise\n";

JournalChoice decided(JournalChoice choice) {
    if (choice != JournalChoice::automatic) return choice;
    return ::getenv("JOURNAL_STREAM") ? JournalChoice::important : JournalChoice::off;
}

bool wants_something(const TelemetryOptions& options, bool enabled) {
    return (enabled && !(options.listen.empty() && options.textfile.empty())) ||
           decided(options.journal) != JournalChoice::off;
}

}  // namespace

// All but what is marked so belongs to `thread`.
class TelemetryManager::Private {
  public:
    Private(Identity identity, std::uint64_t after);
    ~Private();
    void post(std::function<void()> work) { boost::asio::post(io_, std::move(work)); }
    void configure(const TelemetryOptions& options, bool enabled);
    void set_figures(ManagerStats figures) { stats_ = std::move(figures); }

    // Any thread.
    TelemetryState state() const;
    std::vector<TelemetryNews> take_news();
    bool journal_works() const { return journal_works_.load(std::memory_order_relaxed); }

  private:
    HttpAnswer answer(const std::string& path, const std::string& accept);
    Result<std::string> metrics(ExpositionFormat format);
    Status open_source();
    void listen();
    void write_file();
    void file_written(const std::string& path, const Status& status);
    void watch_events();
    void send_events();
    // Remembers and tells once how `what` goes; `text`: how it works.
    void note(std::string_view what, const Status& status, std::string text);
    void forget(std::string_view what);

    const Identity identity_;
    TelemetryOptions options_;
    bool enabled_ = false;
    ManagerStats stats_;
    boost::asio::io_context io_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    boost::asio::steady_timer retry_, next_file_, next_glance_;
    std::optional<MetricsSource> source_;
    HttpEndpoint endpoint_;
    std::optional<EventJournal> journal_;
    std::uint64_t after_;
    std::string file_;  // that is being written, or was
    bool writing_ = false;

    std::atomic<bool> journal_works_{false};
    mutable std::mutex mutex_;  // guards what follows
    TelemetryState state_;
    std::map<std::string_view, Error> problems_;
    std::vector<TelemetryNews> news_;

    BackgroundThread disk_{"shm-textfile"};  // a disk may hang
    BackgroundThread thread_{"shm-telemetry"};
};

TelemetryManager::Private::Private(Identity identity, std::uint64_t after)
    : identity_(std::move(identity)),
      work_(io_.get_executor()),
      retry_(io_),
      next_file_(io_),
      next_glance_(io_),
      endpoint_(io_, [this](const auto& path, const auto& accept) { return answer(path, accept); }),
      after_(after) {
    thread_.post([this] { io_.run(); });
}

TelemetryManager::Private::~Private() {
    post([this] {
        endpoint_.close();
        io_.stop();
    });
    thread_.finish();
    disk_.finish();
    send_events();
    if (!file_.empty()) remove_output(file_);
}

void TelemetryManager::Private::note(std::string_view what, const Status& status,
                                     std::string text) {
    const std::lock_guard lock(mutex_);
    const auto known = problems_.find(what);
    if (status) {
        if (known == problems_.end()) return;
        problems_.erase(known);
        news_.push_back({true, {}, std::move(text)});
        return;
    }
    if (known != problems_.end() && known->second.message == status.error().message) return;
    problems_[what] = status.error();
    news_.push_back({false, status.error(), fmt::format("{}: {}", what, status.error().message)});
}

void TelemetryManager::Private::forget(std::string_view what) {
    const std::lock_guard lock(mutex_);
    problems_.erase(what);
}

TelemetryState TelemetryManager::Private::state() const {
    const std::lock_guard lock(mutex_);
    auto out = state_;
    for (const auto& [what, error] : problems_) {
        out.problems.push_back(error);
        out.problems.back().message = fmt::format("{}: {}", what, error.message);
    }
    return out;
}

std::vector<TelemetryNews> TelemetryManager::Private::take_news() {
    const std::lock_guard lock(mutex_);
    return std::exchange(news_, {});
}

Status TelemetryManager::Private::open_source() {
    if (source_) return {};
    SHM_ASSIGN(auto source,
               MetricsSource::open(identity_.registry, [](auto uid) { return user_name(uid); }));
    source_ = std::move(source);
    return {};
}

Result<std::string> TelemetryManager::Private::metrics(ExpositionFormat format) {
    SHM_TRY(open_source());
    ExpositionInput input;
    input.version = identity_.version;
    input.instance = identity_.instance;
    input.backend = identity_.backend;
    input.figures = stats_;
    source_->read(input, options_.labels);
    return exposition(input, format);
}

HttpAnswer TelemetryManager::Private::answer(const std::string& path, const std::string& accept) {
    const auto unavailable = [](const Error& error) {
        return HttpAnswer{.status = 503, .body = error.sentence() + "\n"};
    };
    if (path == "/") return {.body = std::string(kIndex)};
    if (path == "/metrics") {
        const auto format = negotiate(accept);
        auto text = metrics(format);
        if (!text) return unavailable(text.error());
        return {.type = std::string(content_type(format)), .body = std::move(*text)};
    }
    if (path == "/-/healthy") {
        if (const auto opened = open_source(); !opened) return unavailable(opened.error());
        if (source_->fresh()) return {.body = "healthy\n"};
        return {.status = 503, .body = "the manager has done nothing for some seconds\n"};
    }
    return {.status = 404, .body = "not found; see /\n"};
}

void TelemetryManager::Private::configure(const TelemetryOptions& options, bool enabled) {
    const auto before = std::exchange(options_, options);
    const bool was_enabled = std::exchange(enabled_, enabled);
    const auto journal = decided(options.journal);
    {
        const std::lock_guard lock(mutex_);
        state_.enabled = enabled;
    }
    if (enabled != was_enabled || before.host != options.host || before.port != options.port ||
        before.listen != options.listen)
        listen();
    const auto file = enabled ? options.textfile : std::string();
    if (file != file_) {
        if (!file_.empty()) remove_output(file_);
        file_ = file;
        forget(kFile);
        const std::lock_guard lock(mutex_);
        state_.textfile = file;
        state_.textfile_written = {};
    }
    write_file();
    const std::lock_guard lock(mutex_);
    const bool same = before.journal_socket == options.journal_socket && state_.journal == journal;
    if (same && journal_) return;
    state_.journal = journal;
    if (journal_) after_ = journal_->sent();
    journal_.reset();
    journal_works_ = false;
    problems_.erase(kJournal);
    if (journal == JournalChoice::off) return;
    journal_.emplace(identity_.instance, options.journal_socket,
                     journal == JournalChoice::everything, after_);
    post([this] { watch_events(); });
}

// Closes what is open, and opens it as it is configured now.
void TelemetryManager::Private::listen() {
    retry_.cancel();
    endpoint_.close();
    const bool wanted = enabled_ && !options_.listen.empty();
    const auto status = wanted ? endpoint_.listen(options_.host, options_.port) : Status{};
    const bool six = options_.host.find(':') != std::string::npos;
    const auto url = wanted && status ? fmt::format("http://{}{}{}:{}/metrics", six ? "[" : "",
                                                    options_.host, six ? "]" : "", endpoint_.port())
                                      : std::string();
    {
        const std::lock_guard lock(mutex_);
        state_.url = url;
    }
    if (!wanted) return forget(kListen);
    note(kListen, status, fmt::format("metrics are served again at {}", url));
    if (status) return;
    retry_.expires_after(kRetry);
    retry_.async_wait([this](const boost::system::error_code& error) {
        if (!error) listen();
    });
}

// Begins another writing where the last is over, and in any case a new interval.
void TelemetryManager::Private::write_file() {
    next_file_.cancel();
    if (file_.empty()) return;
    next_file_.expires_after(std::chrono::milliseconds(options_.interval_ms));
    next_file_.async_wait([this](const boost::system::error_code& error) {
        if (!error) write_file();
    });
    if (writing_)
        return note(kFile,
                    fail(ErrorCode::telemetry_unavailable,
                         fmt::format("{} is still being written", file_), "check its disk"),
                    {});
    auto text = metrics(ExpositionFormat::classic);
    if (!text) return note(kFile, fail(text.error()), {});
    writing_ = true;
    disk_.post([this, path = file_, text = std::move(*text)] {
        auto status = replace_file(path, text, 0644);
        post([this, path, status = std::move(status)] { file_written(path, status); });
    });
}

void TelemetryManager::Private::file_written(const std::string& path, const Status& status) {
    writing_ = false;
    if (path != file_) {  // another was configured meanwhile
        remove_output(path);
        return write_file();
    }
    {
        const std::lock_guard lock(mutex_);
        if (status) state_.textfile_written = now();
    }
    if (status) return note(kFile, {}, fmt::format("{} is written again", path));
    auto error = status.error();
    error.code = ErrorCode::telemetry_unavailable;
    error.remedy =
        "let the manager's user write a regular file there, or change telemetry.textfile";
    note(kFile, fail(std::move(error)), {});
}

void TelemetryManager::Private::watch_events() {
    next_glance_.cancel();
    if (!journal_) return;
    next_glance_.expires_after(kGlance);
    next_glance_.async_wait([this](const boost::system::error_code& error) {
        if (!error) watch_events();
    });
    send_events();
}

void TelemetryManager::Private::send_events() {
    if (!journal_) return;
    const auto opened = open_source();
    note(kRegistry, opened, "the registry can be read again");
    if (!opened) return;
    auto& reader = source_->reader();
    Status status;
    do {
        const auto events = reader.events(journal_->sent(), kEventsAtOnce);
        if (events.empty()) break;
        status = journal_->send(events);
    } while (status && journal_->sent() < reader.event_head());
    journal_works_ = status.has_value();
    note(kJournal, status, "events go to the journal again");
}

TelemetryManager::TelemetryManager(Identity identity, std::uint64_t after)
    : identity_(std::move(identity)), after_(after) {}

TelemetryManager::~TelemetryManager() = default;

void TelemetryManager::configure(const TelemetryOptions& options, bool enabled) {
    options_ = options;
    enabled_ = enabled;
    if (!d_ && !wants_something(options, enabled)) return;
    if (!d_) d_ = std::make_unique<Private>(identity_, after_);
    d_->post([d = d_.get(), options, enabled] { d->configure(options, enabled); });
}

void TelemetryManager::hand_over(ManagerStats figures) {
    stats_ = std::move(figures);
    if (d_) d_->post([d = d_.get(), figures = stats_] { d->set_figures(figures); });
}

std::vector<TelemetryNews> TelemetryManager::take_news() {
    return d_ ? d_->take_news() : std::vector<TelemetryNews>();
}

TelemetryState TelemetryManager::state() const {
    if (d_) return d_->state();
    TelemetryState out;
    out.enabled = enabled_;
    return out;
}

bool TelemetryManager::journal_works() const {
    return d_ && d_->journal_works();
}

}  // namespace snakepit::shm
