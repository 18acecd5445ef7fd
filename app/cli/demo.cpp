// SPDX-License-Identifier: MIT
// demo: worker processes that share data, so that there is something to see.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <optional>
#include <random>

#include "base/pluralize.h"
#include "base/units.h"
#include "child_process.h"
#include "command.h"
#include "demo_worker.h"
#include "json.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

constexpr int kStartMillis = 30'000;
constexpr int kTickMillis = 1000;
constexpr int kKillEvery = 3;  // ticks

std::atomic<bool> end_asked = false;

struct DemoOptions {
    int workers = 4;
    int seconds = 30;
};

class Demo {
  public:
    Demo(const Context& context, ManagerClient& client)
        : context_(context), client_(client), session_(fmt::format("demo-{}", ::getpid())) {}

    Status run(const DemoOptions& options) {
        for (int i = 0; i < options.workers; ++i) {
            SHM_ASSIGN(auto worker, start(i));
            workers_.push_back(std::move(worker));
        }
        say(fmt::format("{} data for {} s; Ctrl-C ends it",
                        pluralize(static_cast<std::uint64_t>(options.workers), "worker shares",
                                  "workers share"),
                        options.seconds));
        for (int tick = 1; tick <= options.seconds && !end_asked; ++tick) {
            ::poll(nullptr, 0, kTickMillis);
            SHM_TRY(look(tick));
            if (tick % kKillEvery == 0 && tick < options.seconds) SHM_TRY(kill_one());
        }
        return finish();
    }

    QJsonObject summary() const {
        return {{"session", text(session_)},
                {"allocated", json(tally_.allocated)},
                {"deallocated", json(tally_.deallocated)},
                {"verified", json(tally_.verified)},
                {"corrupt", json(tally_.corrupt)},
                {"bytes_verified", json(tally_.bytes)},
                {"killed", json(killed_)},
                {"removed_at_end", json(removed_)},
                {"regions_left", json(left_)}};
    }
    bool sound() const { return tally_.corrupt == 0 && left_ == 0; }

  private:
    struct Worker {
        std::string name;
        ChildProcess process;
        DemoTally tally;
    };

    void say(const std::string& line) const {
        if (!context_.json) print(line + "\n");
    }

    Result<Worker> start(int index) const {
        const auto name = fmt::format("worker-{}", index + 1);
        std::vector<std::string> words{std::string(kDemoWorkerCommand), "--name", name, "--session",
                                       session_};
        if (!context_.instance.empty())
            words.insert(words.end(), {"--instance", context_.instance});
        SHM_ASSIGN(auto process, ChildProcess::start(words));
        return Worker{name, std::move(process), {}};
    }

    static Status read_tally(Worker& worker) {
        const auto lines = worker.process.lines();
        if (lines.empty()) return {};
        SHM_ASSIGN(worker.tally, DemoTally::parse(lines.back()));
        return {};
    }

    Status look(int tick) {
        auto total = tally_;
        for (auto& worker : workers_) {
            const auto pid = worker.process.pid();
            if (!worker.process.running())
                return fail(ErrorCode::platform_error,
                            fmt::format("{} (pid {}) {} before the demo ended", worker.name, pid,
                                        worker.process.how_it_ended()),
                            "see its message above, if it printed one, and 'snakepit-shm health'");
            SHM_TRY(read_tally(worker));
            total += worker.tally;
        }
        SHM_ASSIGN(const auto regions, client_.list("session:" + session_));
        std::uint64_t references = 0, bytes = 0;
        for (const auto& region : regions) {
            references += region.reference_count;
            bytes += region.size;
        }
        say(fmt::format("{:>4} s  {}, {}, {}; {} of {} verified, {} wrong", tick,
                        pluralize(regions.size(), "region"), format_size(bytes),
                        pluralize(references, "reference"), pluralize(total.verified, "read"),
                        format_size(total.bytes), total.corrupt));
        return {};
    }

    Status kill_one() {
        const auto index = random_() % workers_.size();
        auto& worker = workers_[index];
        SHM_ASSIGN(const auto regions, client_.list("session:" + session_));
        const auto pid = worker.process.pid();
        std::uint64_t held = 0;
        for (const auto& region : regions)
            for (const auto& reference : region.references)
                held += reference.pid == pid ? reference.count : 0;
        worker.process.kill();
        SHM_TRY(read_tally(worker));
        tally_ += worker.tally;
        ++killed_;
        SHM_ASSIGN(auto successor, start(static_cast<int>(index)));
        worker = std::move(successor);
        say(fmt::format("        {} (pid {}) was killed with {}; its successor has pid {}",
                        worker.name, pid, pluralize(held, "reference"), worker.process.pid()));
        return {};
    }

    // Workers deallocate their regions; those of killed workers are orphans and are removed here.
    Status finish() {
        for (auto& worker : workers_) {
            worker.process.stop();
            SHM_TRY(read_tally(worker));
            tally_ += worker.tally;
        }
        workers_.clear();
        SHM_ASSIGN(const auto orphans, client_.list("session:" + session_));
        for (const auto& region : orphans) {
            const auto gone = client_.deallocate(region.id);
            if (gone)
                ++removed_;
            else if (gone.error().type() != ErrorType::region_not_found)
                return fail(gone.error());
        }
        SHM_ASSIGN(const auto rest, client_.list("session:" + session_));
        left_ = rest.size();
        say(fmt::format("done: {} made, {} verified, {} wrong, {} killed; {} removed, {} left",
                        pluralize(tally_.allocated, "region"), pluralize(tally_.verified, "read"),
                        tally_.corrupt, pluralize(killed_, "worker"), pluralize(removed_, "orphan"),
                        pluralize(left_, "region")));
        return {};
    }

    const Context& context_;
    ManagerClient& client_;
    std::string session_;
    std::vector<Worker> workers_;
    std::mt19937_64 random_{std::random_device{}()};
    DemoTally tally_;  // of the workers that ended
    std::uint64_t killed_ = 0, removed_ = 0, left_ = 0;
};

// A manager for as long as the demo lasts, unless one runs already.
Result<std::optional<ChildProcess>> ensure_manager(const Context& context) {
    const auto running = connect(context);
    if (running) return std::optional<ChildProcess>{};
    if (running.error().type() != ErrorType::no_manager) return fail(running.error());
    std::vector<std::string> words{"serve"};
    if (!context.instance.empty()) words.insert(words.end(), {"--instance", context.instance});
    SHM_ASSIGN(auto service, ChildProcess::start(words));
    SHM_ASSIGN(const auto line, service.wait_line(kStartMillis));
    if (!context.json) print(line + "\n");
    return std::optional<ChildProcess>(std::move(service));
}

Result<int> run_demo(const Context& context, const DemoOptions& options) {
    for (const int signal : {SIGTERM, SIGINT}) std::signal(signal, [](int) { end_asked = true; });
    SHM_ASSIGN(const auto service, ensure_manager(context));
    SHM_ASSIGN(auto client, connect(context));
    Demo demo(context, *client);
    SHM_TRY(demo.run(options));
    if (context.json) print_json(demo.summary());
    return demo.sound() ? kDone : kFailed;
}

}  // namespace

void add_demo(Command& app) {
    auto& command = app.add(
        "demo",
        "Start workers that share data and are killed now and then; starts a manager if needed");
    auto& options = command.options<DemoOptions>();
    command.option("--workers", "N", options.workers, "Start N processes (default: 4)")
        .range(2, 64);
    command.option("--seconds", "N", options.seconds, "Run for N seconds (default: 30)")
        .range(1, 86'400);
    command.run(run_demo, options);
    add_demo_worker(app);
}

}  // namespace snakepit::shm::cli
