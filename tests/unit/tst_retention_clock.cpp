// SPDX-License-Identifier: MIT
// What a wall clock that was set may do to what is kept.
#include <SQLiteCpp/SQLiteCpp.h>
#include <QTemporaryDir>
#include <QtTest>

#include "events/retention_clock.h"

using namespace snakepit::shm;

namespace {

constexpr std::int64_t kHour = 3'600'000'000, kDay = 24 * kHour, kYear = 365 * kDay;
constexpr Timestamp kThen{1'700'000'000'000'000};

Timestamp later(std::int64_t micros) {
    return {kThen.micros + micros};
}

}  // namespace

class TestRetentionClock : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void a_new_one_begins_with_the_wall_clock();
    void it_follows_a_far_step_no_faster_than_an_hour_a_start();
    void it_follows_at_once_where_nothing_is_old();
    void it_is_never_ahead_of_the_wall_clock_and_forgets_nothing_by_that();

  private:
    // As a manager that has just started sees it.
    std::int64_t follow(Timestamp wall, Timestamp oldest_kept = kThen) {
        SQLite::Database database(directory_.filePath("db").toStdString(),
                                  SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
        RetentionClock clock;
        return clock.follow(database, wall, oldest_kept).micros - kThen.micros;
    }
    QTemporaryDir directory_;
};

void TestRetentionClock::a_new_one_begins_with_the_wall_clock() {
    QCOMPARE(follow(kThen), 0);
}

void TestRetentionClock::it_follows_a_far_step_no_faster_than_an_hour_a_start() {
    QCOMPARE(follow(later(70 * kYear)), kHour);
    QCOMPARE(follow(later(70 * kYear)), 2 * kHour);
    SQLite::Database database(directory_.filePath("db").toStdString(), SQLite::OPEN_READWRITE);
    RetentionClock clock;
    const auto at = boot_micros();
    const auto first = clock.follow(database, later(70 * kYear), kThen);
    for (const auto end = boot_micros() + 1000; boot_micros() < end;) continue;
    const auto next = clock.follow(database, later(70 * kYear), kThen);
    QVERIFY(next > first);
    QVERIFY(next.micros - first.micros <= 2 * (boot_micros() - at));
}

void TestRetentionClock::it_follows_at_once_where_nothing_is_old() {
    QCOMPARE(follow(later(kYear), later(kYear / 2)), kYear / 2);
    QCOMPARE(follow(later(kYear), later(2 * kYear)), kYear);
}

void TestRetentionClock::it_is_never_ahead_of_the_wall_clock_and_forgets_nothing_by_that() {
    QCOMPARE(follow(later(-50 * kYear)), -50 * kYear);
    QCOMPARE(follow(later(kYear)), kYear);
    QCOMPARE(follow(later(kYear + kDay)), kYear + kHour);
}

QTEST_GUILESS_MAIN(TestRetentionClock)
#include "tst_retention_clock.moc"
