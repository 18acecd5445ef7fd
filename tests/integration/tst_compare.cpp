// SPDX-License-Identifier: MIT
// `snakepit-shm compare`: two moments, two bundles, and either with now tell the same.
#include <QDateTime>
#include <QJsonArray>
#include <QtTest>

#include "service_fixture.h"

using namespace snakepit::shm::test;

class CompareTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void cleanup();
    void two_bundles_differ_by_what_happened_between_them();
    void a_moment_is_compared_with_now();
    void what_events_do_not_tell_is_null();
    void totals_are_of_programs_and_users();
    void equal_captures_have_no_difference();
    void a_moment_works_without_a_manager();
    void words_that_are_no_capture_are_refused_data();
    void words_that_are_no_capture_are_refused();
    void a_time_before_the_history_is_told();

  private:
    QString allocate(const QStringList& more = {}) const {
        return service_->cli_json(QStringList{"allocate", "64KiB"} + more).value("id").toString();
    }
    QString bundle(const QString& name) const {
        const auto file = service_->host().path(name);
        const auto made = service_->cli({"diagnose", "-o", file});
        if (made.status != 0) qWarning("%s", qPrintable(made.err));
        return file;
    }
    // A moment that all events up to now belong to, and none after it.
    QString moment() const {
        QTest::qSleep(20);
        const auto now = QDateTime::currentDateTimeUtc().toString(Qt::ISODateWithMs);
        QTest::qSleep(20);
        return now;
    }
    // All that happened is in the database.
    bool recorded() const {
        return QTest::qWaitFor(
            [this] {
                return service_->cli_json({"status"})["recorder"].toObject()["lag"].toInt(-1) == 0;
            },
            kPatienceMs);
    }
    QJsonObject compare(const QStringList& words) const {
        return service_->cli_json(QStringList{"compare"} + words);
    }
    // "added ID, gone ID", in the order of the ids.
    static QStringList told(const QJsonObject& found) {
        QStringList out;
        for (const auto& value : found["differences"].toArray()) {
            const auto one = value.toObject();
            out += one["change"].toString() + ' ' + one["id"].toString();
        }
        out.sort();
        return out;
    }
    static QJsonObject difference(const QJsonObject& found, const QString& id) {
        for (const auto& one : found["differences"].toArray())
            if (one.toObject()["id"].toString() == id) return one.toObject();
        return {};
    }

    std::unique_ptr<Service> service_;
};

void CompareTest::init() {
    service_ = std::make_unique<Service>();
    QVERIFY(service_->start());
}

void CompareTest::cleanup() {
    service_.reset();
}

void CompareTest::two_bundles_differ_by_what_happened_between_them() {
    const auto gone = allocate(), stays = allocate();
    const auto first = bundle("first");
    QCOMPARE(service_->cli({"deallocate", gone}).status, 0);
    const auto added = allocate({"--name", "model"});
    const auto second = bundle("second");
    const auto found = compare({first, second});
    QCOMPARE(told(found), QStringList({"added " + added, "gone " + gone}));
    QCOMPARE(found["same"].toInt(), 1);
    QCOMPARE(found["growth"].toInt(-1), 0);
    QCOMPARE(found["before"].toObject()["source"].toString(), first);
    QCOMPARE(found["after"].toObject()["regions"].toInt(), 2);
    QVERIFY(difference(found, added)["before"].isNull());
    QCOMPARE(difference(found, added)["after"].toObject()["name"].toString(), "model");
    // The other way round, and for people.
    QCOMPARE(told(compare({second, first})), QStringList({"added " + gone, "gone " + added}));
    const auto text = service_->cli({"compare", first, second});
    QCOMPARE(text.status, 0);
    QVERIFY2(text.out.contains("1 added, 1 gone, 0 replaced, 0 changed, 1 unchanged; 0 B"),
             qPrintable(text.out));
    QVERIFY(text.out.contains(added) && text.out.contains(gone) && !text.out.contains(stays));
}

void CompareTest::a_moment_is_compared_with_now() {
    const auto gone = allocate(), stays = allocate();
    const auto then = moment();
    QCOMPARE(service_->cli({"deallocate", gone}).status, 0);
    const auto added = allocate();
    QVERIFY(recorded());
    const auto found = compare({then});
    QCOMPARE(told(found), QStringList({"added " + added, "gone " + gone}));
    QCOMPARE(found["before"].toObject()["source"].toString(), "events");
    QCOMPARE(found["after"].toObject()["source"].toString(), "now");
    // Two moments.
    const auto later = moment();
    QCOMPARE(service_->cli({"deallocate", stays}).status, 0);
    QVERIFY(recorded());
    QCOMPARE(told(compare({then, later})), told(found));
    QCOMPARE(told(compare({then, "now"})),
             QStringList({"added " + added, "gone " + gone, "gone " + stays}));
    QCOMPARE(told(compare({later, then})), QStringList({"added " + gone, "gone " + added}));
}

void CompareTest::what_events_do_not_tell_is_null() {
    const auto gone = allocate();
    const auto then = moment();
    QCOMPARE(service_->cli({"deallocate", gone}).status, 0);
    QVERIFY(recorded());
    const auto before = difference(compare({then}), gone)["before"].toObject();
    QCOMPARE(before["size"].toInt(), 64 * 1024);
    QCOMPARE(before["state"].toString(), "live");
    for (const auto* key : {"access_count", "last_accessed", "arena", "session"})
        QVERIFY2(before.contains(key) && before[key].isNull(), key);
}

void CompareTest::totals_are_of_programs_and_users() {
    const auto first = bundle("first");
    allocate();
    allocate();
    const auto found = compare({first, "now"});
    const auto users = found["users"].toArray(), programs = found["programs"].toArray();
    QCOMPARE(users.size(), 1);
    QCOMPARE(users.first().toObject()["bytes_before"].toInt(-1), 0);
    QCOMPARE(users.first().toObject()["growth"].toInt(), 2 * 64 * 1024);
    QCOMPARE(users.first().toObject()["added"].toInt(), 2);
    QCOMPARE(programs.size(), 1);
    QCOMPARE(programs.first().toObject()["name"].toString(), "snakepit-shm");
    const auto text = service_->cli({"compare", "--by", "program", first}).out;
    QVERIFY2(text.contains("PROGRAM") && text.contains("+128 KiB"), qPrintable(text));
}

void CompareTest::equal_captures_have_no_difference() {
    allocate();
    const auto file = bundle("file");
    for (const auto& words : {QStringList{file, file}, QStringList{file}}) {
        const auto found = compare(words);
        QCOMPARE(told(found), QStringList());
        QCOMPARE(found["same"].toInt(), 1);
    }
}

void CompareTest::a_moment_works_without_a_manager() {
    const auto id = allocate();
    const auto then = moment();
    allocate();
    QVERIFY(recorded());
    const auto later = moment();
    service_->stop();
    const auto found = compare({then, later});
    QCOMPARE(found["before"].toObject()["regions"].toInt(), 1);
    QCOMPARE(found["added"].toInt(), 1);
    QCOMPARE(service_->cli({"compare", then}).status, 3);  // now needs a manager
    QVERIFY(!told(found).contains("gone " + id));
}

void CompareTest::words_that_are_no_capture_are_refused_data() {
    QTest::addColumn<QStringList>("words");
    QTest::addColumn<int>("status");
    QTest::newRow("nothing") << QStringList{} << 2;
    QTest::newRow("a file that does not exist") << QStringList{"nothing.bundle"} << 2;
    QTest::newRow("another file") << QStringList{"/etc/passwd"} << 1;
    QTest::newRow("a directory") << QStringList{"/tmp"} << 1;
    QTest::newRow("three") << QStringList{"now", "now", "now"} << 2;
    QTest::newRow("an unknown grouping") << QStringList{"now", "--by", "size"} << 2;
}

void CompareTest::words_that_are_no_capture_are_refused() {
    QFETCH(QStringList, words);
    QFETCH(int, status);
    const auto said = service_->cli(QStringList{"compare"} + words);
    QVERIFY2(said.status == status, qPrintable(QString("%1: %2").arg(said.status).arg(said.err)));
    QVERIFY(said.out.isEmpty() && !said.err.isEmpty());
}

void CompareTest::a_time_before_the_history_is_told() {
    const auto said = service_->cli({"compare", "2001-02-03T04:05:06Z"});
    QCOMPARE(said.status, 1);
    QVERIFY2(said.err.contains("no history of 2001-02-03"), qPrintable(said.err));
    QVERIFY(said.err.contains("it covers"));
}

QTEST_GUILESS_MAIN(CompareTest)
#include "tst_compare.moc"
