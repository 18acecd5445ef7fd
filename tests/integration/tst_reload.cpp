// SPDX-License-Identifier: MIT
// The configuration changes again and again while programs work: no operation notices but by the
// limits that hold.
#include <QFile>
#include <QJsonArray>
#include <QtTest>
#include <atomic>
#include <csignal>
#include <mutex>
#include <thread>

#include "client/manager_client.h"
#include "service_fixture.h"

using namespace snakepit::shm::test;
using snakepit::shm::AccessMode;
using snakepit::shm::ErrorCode;
using snakepit::shm::ManagerClient;
using snakepit::shm::Status;

namespace {

constexpr int kChanges = 50;

// One that allocates, maps, gives back and deallocates until told to stop.
class Worker {
  public:
    explicit Worker(const std::atomic<bool>& stop) : thread_([this, &stop] { run(stop); }) {}
    ~Worker() { join(); }
    void join() {
        if (thread_.joinable()) thread_.join();
    }
    std::uint64_t rounds() const { return rounds_; }
    std::string problem() {
        const std::lock_guard lock(mutex_);
        return problem_;
    }

  private:
    Status round(ManagerClient& client) {
        SHM_ASSIGN(const auto id, client.allocate(4096));
        SHM_ASSIGN(const auto mapped, client.map(id, AccessMode::read_write));
        mapped.data[0] = std::byte{1};
        SHM_TRY(client.unmap(mapped));
        SHM_TRY(client.deallocate(id));
        return {};
    }
    void run(const std::atomic<bool>& stop) {
        auto client = ManagerClient::connect();
        while (client && !stop) {
            if (const auto done = round(**client); !done) return tell(done.error().sentence());
            ++rounds_;
        }
        if (!client) tell(client.error().sentence());
    }
    void tell(std::string what) {
        const std::lock_guard lock(mutex_);
        problem_ = std::move(what);
    }

    std::mutex mutex_;
    std::string problem_;
    std::atomic<std::uint64_t> rounds_{0};
    std::thread thread_;
};

}  // namespace

class Reload : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void under_load_each_change_is_applied_refused_or_put_off();
    void sighup_reloads();
    void a_limit_that_was_raised_is_not_to_be_raised_any_more();

  private:
    // "applied", "needs_restart", or the place and message of the refusal.
    static QString reload(const Service& service) {
        const auto answer = service.cli({"config", "reload", "--json"});
        if (answer.status != 0) return answer.error().value("message").toString();
        return answer.json().value("needs_restart").toArray().isEmpty() ? "applied"
                                                                        : "needs_restart";
    }
};

void Reload::under_load_each_change_is_applied_refused_or_put_off() {
    Service service;
    QVERIFY(service.start());
    service.host().use_in_this_process(service.instance());
    auto watcher = ManagerClient::connect();
    QVERIFY(watcher.has_value());
    const auto allowed = [&](std::uint64_t size) {
        const auto id = (*watcher)->allocate(size);
        if (id) return (*watcher)->deallocate(*id).has_value();
        return id.error().code != ErrorCode::size_exceeds_limit;
    };
    std::atomic<bool> stop = false;
    std::vector<std::unique_ptr<Worker>> workers;
    for (int i = 0; i < 3; ++i) workers.push_back(std::make_unique<Worker>(stop));

    const auto path = service.host().config_file();
    for (int i = 0; i < kChanges; ++i) {
        const int pages = 2 + i % 5;
        const auto limit = QString("max_region_size = %1\n").arg(pages * 4096);
        service.host().configure(limit + QString("default_timeout = %1").arg(60'000 + i));
        QCOMPARE(reload(service), "applied");
        QVERIFY(allowed(static_cast<std::uint64_t>(pages) * 4096));
        QVERIFY(!allowed(static_cast<std::uint64_t>(pages) * 4096 + 1));
        if (i % 5 == 1) {
            service.host().configure("max_region_size = 4096\n  max_regions = none");
            const auto refused = reload(service);
            QVERIFY2(refused.startsWith(path + ":3:"), qPrintable(refused));
            QVERIFY(allowed(static_cast<std::uint64_t>(pages) * 4096));
        } else if (i % 5 == 3) {
            QFile file(path);
            QVERIFY(file.open(QIODevice::WriteOnly | QIODevice::Truncate));
            file.write(("[shared_memory]\n" + limit +
                        "[shared_memory.platform_options.linux]\nshm_path = \"/tmp\"\n")
                           .toUtf8());
            file.close();
            QCOMPARE(reload(service), "needs_restart");
            QVERIFY(!allowed(static_cast<std::uint64_t>(pages) * 4096 + 1));
        }
        for (const auto& worker : workers)
            QVERIFY2(worker->problem().empty(), worker->problem().c_str());
    }
    stop = true;
    for (const auto& worker : workers) {
        worker->join();
        QVERIFY2(worker->problem().empty(), worker->problem().c_str());
        QVERIFY(worker->rounds() > 0);
    }
    QTRY_VERIFY_WITH_TIMEOUT(service.host().segments().isEmpty(), kPatienceMs);
}

void Reload::sighup_reloads() {
    Service service;
    QVERIFY(service.start());
    service.host().configure("max_region_size = 4096");
    QCOMPARE(::kill(static_cast<pid_t>(service.pid()), SIGHUP), 0);
    QTRY_COMPARE_WITH_TIMEOUT(service.cli({"allocate", "8KiB"}).status, 1, kPatienceMs);
}

void Reload::a_limit_that_was_raised_is_not_to_be_raised_any_more() {
    Service service;
    service.host().configure("max_region_size = \"1MiB\"");
    QVERIFY(service.start());
    const auto advice = [&] {
        QStringList out;
        for (const auto& value : service.cli_json({"stats"})["recommendations"].toArray())
            out << value.toObject()["advice"].toString();
        return out;
    };
    for (int i = 0; i < 10; ++i) QVERIFY(service.cli({"allocate", "2MiB"}).status != 0);
    QVERIFY2(advice().contains("raise max_region_size"), qPrintable(advice().join('\n')));
    QCOMPARE(service.cli({"config", "set", "max_region_size", "4MiB"}).status, 0);
    QCOMPARE(service.cli({"allocate", "2MiB"}).status, 0);
    QVERIFY2(!advice().contains("raise max_region_size"), qPrintable(advice().join('\n')));
}

QTEST_GUILESS_MAIN(Reload)
#include "tst_reload.moc"
