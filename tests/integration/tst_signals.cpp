// SPDX-License-Identifier: MIT
// Signals between real processes, some of which are killed.
#include <dlfcn.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <QtTest>
#include <algorithm>
#include <atomic>
#include <csignal>
#include <thread>

#include "../security/raw_client.h"
#include "client/manager_client.h"
#include "layout/signals_layout.h"
#include "service_fixture.h"
#include "signaller.h"

using namespace snakepit::shm;
using test::kPatienceMs;
using test::Peer;

namespace {

std::atomic<int> wakes{0};

template <typename T>
ErrorCode code(const Result<T>& result) {
    return result ? ErrorCode{} : result.error().code;
}

}  // namespace

// In place of the C library's: counts the system calls that wake others.
extern "C" long syscall(long number, ...) noexcept {
    using Call = long (*)(long, ...);
    static const auto next = reinterpret_cast<Call>(::dlsym(RTLD_NEXT, "syscall"));
    va_list list;
    va_start(list, number);
    long words[6];
    for (auto& word : words) word = va_arg(list, long);
    va_end(list);
    if (number == SYS_futex && (words[1] & FUTEX_CMD_MASK) == FUTEX_WAKE) ++wakes;
    return next(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

class Signals : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void cleanup() {
        peers_.clear();
        client_.reset();
        service_.reset();
    }

    void a_waiter_in_another_process_is_woken_data();
    void a_waiter_in_another_process_is_woken();
    void waiting_ends_when_its_time_is_up();
    void nobody_is_asked_and_nobody_woken_for_nothing();
    void a_killed_waiter_costs_one_wake_up();
    void a_killed_notifier_loses_no_count();
    void waiters_and_notifiers_need_no_manager();
    void words_outlive_a_killed_manager();
    void a_deallocated_region_ends_a_wait();
    void closing_the_client_ends_a_wait();
    void a_mark_that_a_hostile_program_took_away_delays_and_no_more();
    void a_forked_child_is_refused();
    void many_threads_and_processes_see_each_count();

  private:
    RegionId allocate(const RegionOptions& options = {}, std::uint64_t size = 4096) {
        return client_->allocate(size, options).value();
    }
    static QString name(const RegionId& id) { return QString::fromStdString(id.str()); }
    Peer& signaller() {
        peers_.push_back(std::make_unique<Peer>(
            QCoreApplication::applicationFilePath(), QStringList{"signaller"},
            service_->host().environment(service_->instance())));
        if (peers_.back()->line() != "ready") qWarning("the signaller is not ready");
        return *peers_.back();
    }
    std::uint64_t counter(const RegionId& id) {
        const auto now = client_->wait(id, ~0ULL >> 2, 0);
        return now && *now ? **now : 0;
    }
    // The word as a program without manners sees it.
    layout::SignalWord* word(RawClient& raw, const RegionId& id) {
        wire::MapT map;
        map.id = std::make_unique<wire::RegionKey>(to_wire(id));
        wire::RequestT first;
        first.call.Set(std::move(map));
        if (!raw.ask(std::move(first))) return nullptr;
        wire::SignalT call;
        call.id = std::make_unique<wire::RegionKey>(to_wire(id));
        wire::RequestT request;
        request.call.Set(std::move(call));
        const auto reply = raw.ask(std::move(request));
        const auto* place = reply ? reply->answer.AsSignalPlace() : nullptr;
        if (!place) return nullptr;
        const auto file = raw.take_handle();
        auto mapping = Mapping::map(file, *size_of(file), Mapping::Access::read_write);
        if (!mapping) return nullptr;
        mappings_.push_back(std::move(*mapping));
        return reinterpret_cast<layout::SignalWord*>(mappings_.back().data() + place->offset);
    }

    std::unique_ptr<test::Service> service_;
    std::unique_ptr<ManagerClient> client_;
    std::vector<std::unique_ptr<Peer>> peers_;
    std::vector<Mapping> mappings_;
};

void Signals::init() {
    service_ = std::make_unique<test::Service>();
    QVERIFY(service_->start());
    service_->host().use_in_this_process(service_->instance());
    auto client = ManagerClient::connect({.timeout_ms = kPatienceMs});
    QVERIFY(client.has_value());
    client_ = std::move(*client);
}

void Signals::a_waiter_in_another_process_is_woken_data() {
    QTest::addColumn<QString>("kind");
    for (const auto* kind : {"pooled", "dedicated", "read-only", "sealed", "encrypted", "audited"})
        QTest::newRow(kind) << kind;
}

void Signals::a_waiter_in_another_process_is_woken() {
    QFETCH(QString, kind);
    RegionOptions options;
    if (kind == "dedicated") options.placement = Placement::dedicated;
    if (kind == "read-only") options.access_mode = AccessMode::read_only;
    if (kind == "encrypted") options.security_level = SecurityLevel::high;
    options.audit_access = kind == "audited";
    const auto id = allocate(options);
    if (kind == "sealed") QVERIFY(client_->seal(id).value());
    auto& waiter = signaller();
    auto& notifier = signaller();
    QCOMPARE(notifier.ask("notify " + name(id)), "ok");
    QCOMPARE(waiter.ask("wait " + name(id) + " 0 60000"), "now 1");
    for (int i = 1; i < 20; ++i) {
        waiter.say(QString("wait %1 %2 60000").arg(name(id)).arg(i));
        if (i % 2 == 0) QTest::qSleep(20);
        QCOMPARE(notifier.ask("notify " + name(id)), "ok");
        QCOMPARE(waiter.line(), QString("now %1").arg(i + 1));
    }
}

void Signals::waiting_ends_when_its_time_is_up() {
    const auto id = allocate();
    QVERIFY(!client_->wait(id, 0, 0)->has_value());
    auto quickest = INT64_MAX;  // on a busy machine some take as long as others compute
    for (int i = 0; i < 20; ++i) {
        const auto began = monotonic_nanos();
        QVERIFY(!client_->wait(id, 0, 0)->has_value());
        quickest = std::min(quickest, monotonic_nanos() - began);
    }
    QVERIFY(quickest < 100'000'000);
    const auto start = monotonic_nanos();
    QVERIFY(!client_->wait(id, 0, 450)->has_value());
    QVERIFY(monotonic_nanos() - start >= 450'000'000);
    QVERIFY(client_->notify(id));
    QCOMPARE(**client_->wait(id, 0, kLockForever), 1U);
    QCOMPARE(**client_->wait(id, 77, kLockForever), 1U);
    QCOMPARE(code(client_->wait(RegionId::generate(), 0, 0)), ErrorCode::region_not_found);
    QCOMPARE(code(client_->notify(RegionId::generate())), ErrorCode::region_not_found);
}

void Signals::nobody_is_asked_and_nobody_woken_for_nothing() {
    const auto id = allocate();
    QVERIFY(client_->notify(id));
    const auto trips = client_->round_trips();
    const int before = wakes;
    for (int i = 0; i < 10'000; ++i) QVERIFY(client_->notify(id));
    QVERIFY(!client_->wait(id, counter(id), 0)->has_value());
    QCOMPARE(client_->round_trips(), trips);
    QCOMPARE(wakes.load(), before);
    QCOMPARE(counter(id), 10'001U);
    QCOMPARE(client_->references_held(id), 1U);  // of the allocation
}

void Signals::a_killed_waiter_costs_one_wake_up() {
    const auto id = allocate();
    QVERIFY(client_->notify(id));
    auto& waiter = signaller();
    QCOMPARE(waiter.ask("wait " + name(id) + " 0 1000"), "now 1");
    waiter.say("wait " + name(id) + " 1 60000");
    QTest::qSleep(300);
    waiter.end(SIGKILL);
    const int before = wakes;
    for (int i = 0; i < 1000; ++i) QVERIFY(client_->notify(id));
    QCOMPARE(wakes.load(), before + 1);
}

void Signals::a_killed_notifier_loses_no_count() {
    const auto id = allocate();
    std::uint64_t seen = 0;
    for (int round = 0; round < 10; ++round) {
        auto& notifier = signaller();
        notifier.say("storm " + name(id));
        const auto first = client_->wait(id, seen, kPatienceMs);
        QVERIFY(first && *first && **first > seen);
        for (int i = 0; i < 50; ++i) {
            const auto now = client_->wait(id, **first, kPatienceMs);
            QVERIFY(now && *now && **now >= **first);
        }
        notifier.end(SIGKILL);
        seen = counter(id);
        QVERIFY(seen > **first);
        QVERIFY(!client_->wait(id, seen, 20)->has_value());
    }
    QVERIFY(client_->notify(id));
    QCOMPARE(counter(id), seen + 1);
}

void Signals::waiters_and_notifiers_need_no_manager() {
    const auto id = allocate();
    auto& waiter = signaller();
    QVERIFY(client_->notify(id));
    QCOMPARE(waiter.ask("wait " + name(id) + " 0 1000"), "now 1");
    service_->kill();
    waiter.say("wait " + name(id) + " 1 60000");
    QTest::qSleep(50);
    QVERIFY(client_->notify(id));
    QCOMPARE(waiter.line(), "now 2");
}

void Signals::words_outlive_a_killed_manager() {
    RegionOptions dedicated;
    dedicated.placement = Placement::dedicated;
    for (const auto& options : {RegionOptions{}, dedicated}) {
        const auto id = allocate(options);
        auto& waiter = signaller();
        QVERIFY(client_->notify(id));
        QCOMPARE(waiter.ask("wait " + name(id) + " 0 1000"), "now 1");
        waiter.say("wait " + name(id) + " 1 60000");
        QVERIFY(service_->restart_after_kill());
        auto& fresh = signaller();  // knows the new manager alone
        QCOMPARE(fresh.ask("wait " + name(id) + " 0 1000"), "now 1");
        QTest::qSleep(300);
        QCOMPARE(fresh.ask("notify " + name(id)), "ok");
        QCOMPARE(waiter.line(), "now 2");
        QCOMPARE(counter(id), 2U);
    }
}

void Signals::a_deallocated_region_ends_a_wait() {
    std::int64_t best = INT64_MAX;
    for (int i = 0; i < 3; ++i) {
        const auto id = allocate();
        auto& waiter = signaller();
        QTRY_COMPARE_WITH_TIMEOUT(waiter.ask("wait " + name(id) + " 0 1"), "timeout",
                                  kPatienceMs);  // it knows the region now
        waiter.say("wait " + name(id) + " 0 60000");
        QTest::qSleep(100);
        QVERIFY(client_->deallocate(id));
        const auto began = monotonic_nanos();
        QCOMPARE(waiter.line(), "region_not_found");
        best = std::min(best, monotonic_nanos() - began);
    }
    QVERIFY2(best < 250'000'000, qPrintable(QString::number(best / 1000)));
    // Held by another: nobody finds it any more, so nobody waits for it.
    const auto held = allocate();
    auto& holder = signaller();
    QCOMPARE(holder.ask("wait " + name(held) + " 0 0"), "timeout");
    const auto mapped = client_->map(held, AccessMode::read_only);
    holder.say("wait " + name(held) + " 0 60000");
    QTest::qSleep(100);
    QVERIFY(client_->deallocate(held));
    QCOMPARE(holder.line(), "region_not_found");
    QVERIFY(client_->unmap(*mapped));
}

void Signals::closing_the_client_ends_a_wait() {
    const auto id = allocate();
    std::int64_t best = INT64_MAX;
    for (int i = 0; i < 5; ++i) {
        auto other = std::move(*ManagerClient::connect({.timeout_ms = kPatienceMs}));
        ErrorCode got{};
        std::thread waiter([&] { got = code(other->wait(id, 0, kLockForever)); });
        QTest::qSleep(40 + i * 30);
        const auto began = monotonic_nanos();
        other->close();
        waiter.join();
        best = std::min(best, monotonic_nanos() - began);
        QCOMPARE(got, ErrorCode::client_closed);
    }
    QVERIFY2(best < 100'000'000, qPrintable(QString::number(best / 1000)));
}

void Signals::a_mark_that_a_hostile_program_took_away_delays_and_no_more() {
    const auto id = allocate();
    auto raw = RawClient::open(
        (service_->host().runtime_dir(service_->instance()) + "/control.sock").toStdString(), true);
    auto* const shared = word(raw, id);
    QVERIFY(shared);
    auto& waiter = signaller();
    QCOMPARE(waiter.ask("wait " + name(id) + " 0 0"), "timeout");
    waiter.say("wait " + name(id) + " 0 60000");
    QTest::qSleep(300);
    shared->value.fetch_and(~layout::SignalWord::kSleepers);
    QVERIFY(client_->notify(id));
    QCOMPARE(waiter.line(), "now 1");
    waiter.say("wait " + name(id) + " 1 60000");
    QTest::qSleep(100);
    shared->value = layout::SignalWord::make(0);  // back, without waking anybody
    QCOMPARE(waiter.line(), "now 0");
}

void Signals::a_forked_child_is_refused() {
    const auto id = allocate();
    QVERIFY(client_->notify(id));
    const auto child = ::fork();
    if (child == 0) {
        const bool right =
            code(client_->notify(id)) == ErrorCode::forked &&
            code(client_->wait(id, 0, 1000)) == ErrorCode::forked &&
            code(client_->event_fd()) == ErrorCode::forked &&
            code(client_->map_cached(id, AccessMode::read_only)) == ErrorCode::forked;
        ::_exit(right ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    QCOMPARE(status, 0);
    QVERIFY(client_->notify(id));
}

// Each of several threads waits for its turn, which another process and the threads give on.
void Signals::many_threads_and_processes_see_each_count() {
    constexpr int kThreads = 6, kCounts = 2000;
    const auto id = allocate();
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t)
        threads.emplace_back([&, t] {
            std::uint64_t seen = 0;
            while (seen < kCounts) {
                const auto now = client_->wait(id, seen, kPatienceMs);
                if (!now || !*now || **now < seen) {
                    ++wrong;
                    return;
                }
                seen = **now;
                if (seen < kCounts && static_cast<int>(seen % kThreads) == t)
                    if (!client_->notify(id)) ++wrong;
            }
        });
    QCOMPARE(signaller().ask("notify " + name(id)), "ok");
    for (auto& thread : threads) thread.join();
    QCOMPARE(wrong.load(), 0);
    QCOMPARE(counter(id), std::uint64_t{kCounts});
}

int main(int argc, char** argv) {
    const QCoreApplication app(argc, argv);
    const auto words = QCoreApplication::arguments().mid(1);
    if (!words.isEmpty() && words.first() == "signaller") return run_signaller(words);
    Signals test;
    return QTest::qExec(&test, argc, argv);
}
#include "tst_signals.moc"
