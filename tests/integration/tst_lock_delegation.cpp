// SPDX-License-Identifier: MIT
// Locks without requests, between real processes, and what kills leave of them.
#include <QJsonArray>
#include <QtTest>
#include <chrono>
#include <random>
#include <thread>

#include "base/lock_owner.h"
#include "client/manager_client.h"
#include "from_environment.h"
#include "lock_victim.h"
#include "locker.h"
#include "service_fixture.h"

using namespace snakepit::shm;
using test::kPatienceMs;
using test::Peer;

namespace {

constexpr auto kRead = AccessMode::read_only;
constexpr auto kWrite = AccessMode::read_write;
constexpr int kVictims = 3;

}  // namespace

class LockDelegation : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init() {
        service_ = std::make_unique<test::Service>();
        QVERIFY(service_->start());
        service_->host().use_in_this_process(service_->instance());
        client_ = ManagerClient::connect({.timeout_ms = 60'000, .await_restart = true}).value();
    }
    void cleanup() {
        peers_.clear();
        client_.reset();
        service_.reset();
    }
    void one_programs_locks_need_no_requests();
    void tickets_and_owners_need_none_either();
    void no_manager_is_needed_while_nobody_else_asks();
    void another_process_gets_it_and_then_it_comes_back();
    void levels_are_released_by_requests_when_the_manager_was_killed();
    void a_lock_that_was_left_alone_is_listed_while_it_is_held();
    void nothing_of_a_delegation_outlives_its_region();
    void kills_of_everybody_in_the_middle_leave_no_two_writers();

  private:
    RegionId allocate() { return client_->allocate(4096).value(); }
    Peer& peer(const QStringList& words) {
        peers_.push_back(
            std::make_unique<Peer>(QCoreApplication::applicationFilePath(), words,
                                   service_->host().environment(service_->instance())));
        return *peers_.back();
    }
    static QString text(const RegionId& id) { return QString::fromStdString(id.str()); }
    QJsonArray listed() const { return service_->cli_json({"locks"}).value("locks").toArray(); }

    std::unique_ptr<test::Service> service_;
    std::unique_ptr<ManagerClient> client_;
    std::vector<std::unique_ptr<Peer>> peers_;
};

void LockDelegation::one_programs_locks_need_no_requests() {
    const auto id = allocate();
    const auto first = client_->lock(id, kWrite, 0);
    QVERIFY(first && client_->unlock(id, first->token));
    const auto before = client_->round_trips();
    std::uint64_t last = 0;
    for (int i = 0; i < 1000; ++i) {
        const auto granted = client_->lock(id, i % 2 == 0 ? kRead : kWrite, 0);
        QVERIFY(granted.has_value());
        QVERIFY(granted->token != last && !granted->inconsistent);
        last = granted->token;
        const auto deeper = client_->lock(id, kWrite, 0);
        QCOMPARE(deeper.value().token, last);
        QVERIFY(client_->unlock(id, last).has_value());
        QVERIFY(client_->unlock(id, last).has_value());
    }
    QCOMPARE(client_->round_trips(), before);
    QCOMPARE(client_->unlock(id, last).error().code, ErrorCode::not_held);
}

void LockDelegation::tickets_and_owners_need_none_either() {
    const auto id = allocate();
    const auto first = client_->lock(id, kWrite, 0);
    QVERIFY(first && client_->unlock(id, first->token));
    const auto before = client_->round_trips();
    for (const std::uint32_t owner : {0U, kFirstOwner, ~0U}) {
        const auto ticket = client_->lock_begin(id, kWrite, owner);
        QVERIFY(ticket.has_value());
        const auto granted = client_->lock_wait(*ticket, 0);
        QVERIFY(granted && *granted);
        QVERIFY(client_->unlock(id, (*granted)->token).has_value());
        const auto unwanted = client_->lock_begin(id, kRead, owner);
        QVERIFY(unwanted && client_->lock_cancel(*unwanted));
    }
    QCOMPARE(client_->round_trips(), before);
    const auto held = client_->lock(id, kRead, 0, kFirstOwner);
    QCOMPARE(client_->lock(id, kWrite, 0, ~0U).error().code, ErrorCode::timeout);
    QVERIFY(client_->unlock(id, held->token).has_value());
}

void LockDelegation::no_manager_is_needed_while_nobody_else_asks() {
    const auto id = allocate();
    const auto held = client_->lock(id, kWrite, 0);
    QVERIFY(held.has_value());
    service_->kill();
    QVERIFY(client_->unlock(id, held->token).has_value());
    const auto again = client_->lock(id, kRead, 0);
    QVERIFY(again.has_value());
    QVERIFY(service_->start());
    QCOMPARE(listed().size(), 1);
    QVERIFY(client_->unlock(id, again->token).has_value());
    QVERIFY(listed().isEmpty());
}

void LockDelegation::another_process_gets_it_and_then_it_comes_back() {
    const auto id = allocate();
    auto& other = peer({"locker"});
    QCOMPARE(other.line(), "ready");
    for (int round = 0; round < 20; ++round) {
        const auto mine = client_->lock(id, kWrite, kPatienceMs);
        QVERIFY(mine.has_value());
        QVERIFY(other.ask("lock " + text(id) + " w 0").startsWith("timeout"));
        other.say("lock " + text(id) + " w 60000");
        QVERIFY(client_->unlock(id, mine->token).has_value());
        const auto granted = other.line();
        QVERIFY2(granted.startsWith("granted"), qPrintable(granted));
        QCOMPARE(client_->lock(id, kRead, 0).error().code, ErrorCode::timeout);
        QCOMPARE(other.ask("unlock " + text(id) + " " + granted.section(' ', 1)), "ok");
        for (int i = 0; i < 5; ++i) {
            const auto own = client_->lock(id, kWrite, kPatienceMs);
            QVERIFY(own && client_->unlock(id, own->token));
        }
    }
}

// The levels were taken in the page; that they are the manager's now is learned from the page.
void LockDelegation::levels_are_released_by_requests_when_the_manager_was_killed() {
    const auto id = allocate();
    const auto hasty = ManagerClient::connect({.timeout_ms = 200}).value();
    const auto first = hasty->lock(id, kWrite, 0);
    QVERIFY(first && hasty->unlock(id, first->token));
    const auto held = hasty->lock(id, kWrite, 0);
    QVERIFY(held && hasty->lock(id, kWrite, 0));
    auto& other = peer({"locker"});
    QCOMPARE(other.line(), "ready");
    QVERIFY(other.ask("lock " + text(id) + " w 0").startsWith("timeout"));
    other.say("lock " + text(id) + " w 4294967295");
    QTRY_COMPARE_WITH_TIMEOUT(listed().at(0).toObject().value("waiter_count").toInt(), 1,
                              kPatienceMs);
    service_->kill();
    for (int level = 0; level < 2; ++level)
        QCOMPARE(hasty->unlock(id, held->token).error().code, ErrorCode::no_manager);
    QVERIFY(service_->start());
    QTRY_VERIFY_WITH_TIMEOUT(hasty->info(id).has_value(), kPatienceMs);
    const auto granted = other.line();
    QVERIFY2(granted.startsWith("granted"), qPrintable(granted));
    QCOMPARE(hasty->unlock(id, held->token).error().code, ErrorCode::not_held);
}

void LockDelegation::a_lock_that_was_left_alone_is_listed_while_it_is_held() {
    const auto id = allocate();
    const auto first = client_->lock(id, kRead, 0);
    QVERIFY(first && client_->unlock(id, first->token));
    QVERIFY(listed().isEmpty());
    const auto held = client_->lock(id, kRead, 0);
    const auto region = listed().at(0).toObject();
    QCOMPARE(region.value("region_id").toString(), text(id));
    const auto holder = region.value("holders").toArray().at(0).toObject();
    QCOMPARE(holder.value("pid").toInteger(), qint64{QCoreApplication::applicationPid()});
    QCOMPARE(holder.value("token").toString().toULongLong(nullptr, 16), held->token);
    const auto before = client_->info(id)->reference_count;
    QVERIFY(client_->unlock(id, held->token).has_value());
    QCOMPARE(client_->info(id)->reference_count, before - 1);
}

void LockDelegation::nothing_of_a_delegation_outlives_its_region() {
    for (int i = 0; i < 50; ++i) {
        const auto id = allocate();
        const auto held = client_->lock(id, kWrite, 0);
        QVERIFY(held.has_value());
        if (i % 2 == 0) QVERIFY(client_->unlock(id, held->token).has_value());
        QCOMPARE(client_->deallocate(id).value(), i % 2 == 0);
        QCOMPARE(client_->lock(id, kRead, 0).error().code, ErrorCode::region_not_found);
        if (i % 2 != 0) QVERIFY(client_->unlock(id, held->token).has_value());
    }
    QVERIFY(listed().isEmpty());
    QVERIFY(service_->cli_json({"list"}).value("regions").toArray().isEmpty());
}

void LockDelegation::kills_of_everybody_in_the_middle_leave_no_two_writers() {
    const int kills = test::from_environment("SNAKEPIT_LOCK_KILLS", 40);
    std::minstd_rand random(42);
    QStringList ids;
    for (int i = 0; i < kVictims + 1; ++i) ids += text(allocate());
    unsigned seed = 0;
    const auto start = [&](int place) {
        auto words = QStringList{"victim", QString::number(++seed), QString::number(place)} + ids;
        return std::make_unique<Peer>(QCoreApplication::applicationFilePath(), words,
                                      service_->host().environment(service_->instance()));
    };
    std::vector<std::unique_ptr<Peer>> victims;
    for (int i = 0; i < kVictims; ++i) victims.push_back(start(i));
    for (auto& victim : victims) QCOMPARE(victim->line(), "ready");
    for (int i = 0; i < kills; ++i) {
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 20'000));
        if (i % 5 == 4) {
            QVERIFY(service_->restart_after_kill());
            continue;
        }
        const auto place = static_cast<std::size_t>(random() % kVictims);
        const auto end = victims[place]->end(SIGKILL);
        QVERIFY2(end.status == -SIGKILL, qPrintable(end.out));
        victims[place] = start(static_cast<int>(place));
        const auto said = victims[place]->line();
        QVERIFY2(said == "ready", qPrintable(said));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    for (auto& victim : victims) {
        const auto end = victim->end(SIGKILL);
        QVERIFY2(end.status == -SIGKILL, qPrintable(end.out));
    }
    // Nothing is left, and the regions are as a writer leaves them.
    std::uint64_t locks = 0;
    for (const auto& name : ids) {
        const auto id = *RegionId::parse(name.toStdString());
        for (int i = 0; i < 2; ++i) {
            const auto granted = client_->lock(id, kWrite, kPatienceMs);
            QVERIFY(granted.has_value());
            QVERIFY(i == 0 || !granted->inconsistent);
            QVERIFY(client_->unlock(id, granted->token).has_value());
        }
        const auto mapped = client_->map(id, kRead);
        locks += reinterpret_cast<const std::uint64_t*>(mapped->data)[3];
        QVERIFY(client_->unmap(*mapped).has_value());
    }
    QVERIFY(listed().isEmpty());
    qInfo("%d kills, %llu locks", kills, static_cast<unsigned long long>(locks));
    QVERIFY(locks > static_cast<std::uint64_t>(kills));
}

int main(int argc, char** argv) {
    const QCoreApplication app(argc, argv);
    const auto words = QCoreApplication::arguments().mid(1);
    if (!words.isEmpty() && words.first() == "locker") return run_locker(words);
    if (!words.isEmpty() && words.first() == "victim") return run_lock_victim(words);
    LockDelegation test;
    return QTest::qExec(&test, argc, argv);
}
#include "tst_lock_delegation.moc"
