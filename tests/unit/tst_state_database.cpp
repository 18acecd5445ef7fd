// SPDX-License-Identifier: MIT
// The one connection to state.db that policies and alerts share.
#include <QFile>
#include <QTemporaryDir>
#include <QtTest>
#include <atomic>
#include <thread>

#include "sqlite/state_database.h"

using namespace snakepit::shm;

class StateDatabaseTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init() { path_ = directory_.filePath("state.db").toStdString(); }
    void cleanup();
    void each_run_has_the_durability_it_asks_for();
    void a_database_of_an_earlier_release_is_brought_up_to_date();
    void a_failed_run_changes_nothing_and_the_next_one_works();
    void a_damaged_file_is_set_aside();
    void two_threads_write_in_turn();

  private:
    static int value(SQLite::Database& database, const char* query) {
        return database.execAndGet(query).getInt();
    }
    QTemporaryDir directory_;
    std::string path_;
};

void StateDatabaseTest::cleanup() {
    for (const auto& name : QDir(directory_.path()).entryList(QDir::Files))
        QFile::remove(directory_.filePath(name));
}

void StateDatabaseTest::each_run_has_the_durability_it_asks_for() {
    StateDatabase state(path_);
    constexpr int kNormal = 1, kFull = 2;
    int found = 0;
    const auto look = [&](SQLite::Database& database) {
        found = value(database, "PRAGMA synchronous");
    };
    QVERIFY(state.run(look));
    QCOMPARE(found, kFull);
    QVERIFY(state.run(look, false));
    QCOMPARE(found, kNormal);
    QVERIFY(state.run(look));  // a policy that need not last leaves alerts on the disk
    QCOMPARE(found, kFull);
    QVERIFY((QFile::permissions(QString::fromStdString(path_)) & QFile::ReadOther) == 0);
}

void StateDatabaseTest::a_database_of_an_earlier_release_is_brought_up_to_date() {
    SQLite::Database(path_, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
        .exec(
            "CREATE TABLE alert_position(one INTEGER PRIMARY KEY, epoch INTEGER, seq INTEGER);"
            "INSERT INTO alert_position VALUES(1, 2, 3)");
    StateDatabase state(path_);
    int shift = -1, seq = 0;
    QVERIFY(state.run([&](SQLite::Database& database) {
        shift = value(database, "SELECT wall_shift FROM alert_position");
        seq = value(database, "SELECT seq FROM alert_position");
    }));
    QCOMPARE(shift, 0);
    QCOMPARE(seq, 3);
}

void StateDatabaseTest::a_failed_run_changes_nothing_and_the_next_one_works() {
    StateDatabase state(path_);
    const auto failed = state.run([](SQLite::Database& database) {
        SQLite::Transaction transaction(database);
        database.exec("INSERT INTO alert_rules VALUES('a', '{}')");
        database.exec("INSERT INTO nowhere VALUES(1)");
    });
    QVERIFY(!failed && failed.error().code == ErrorCode::database_unavailable);
    QVERIFY(failed.error().message.find(path_) == 0);
    int rules = -1;
    QVERIFY(state.run([&](SQLite::Database& database) {
        rules = value(database, "SELECT count(*) FROM alert_rules");
    }));
    QCOMPARE(rules, 0);
    QCOMPARE(state.opened(), std::uint64_t{2});
}

void StateDatabaseTest::a_damaged_file_is_set_aside() {
    QFile file(QString::fromStdString(path_));
    QVERIFY(file.open(QIODevice::WriteOnly) && file.write(QByteArray(20'000, 'x')) > 0);
    file.close();
    StateDatabase state(path_);
    std::string note;
    QVERIFY(state.open(note));
    QVERIFY2(note.find(".corrupt-") != std::string::npos, note.c_str());
    QVERIFY(state.run([](SQLite::Database& database) {
        database.exec("INSERT INTO alert_rules VALUES('a', '{}')");
    }));
    StateDatabase again(path_);
    note.clear();
    QVERIFY(again.open(note));
    QVERIFY(note.empty());
}

void StateDatabaseTest::two_threads_write_in_turn() {
    StateDatabase state(path_);
    constexpr int kEach = 50;
    std::atomic<int> failures{0};
    const auto write = [&](int first) {
        for (int i = 0; i < kEach; ++i)
            if (!state.run(
                    [&](SQLite::Database& database) {
                        SQLite::Statement insert(database,
                                                 "INSERT INTO alert_rules VALUES(?,'{}')");
                        insert.bind(1, std::to_string(first + i));
                        insert.exec();
                    },
                    first == 0))
                ++failures;
    };
    std::thread other([&] { write(0); });
    write(kEach);
    other.join();
    QCOMPARE(failures.load(), 0);
    int rules = 0;
    QVERIFY(state.run([&](SQLite::Database& database) {
        rules = value(database, "SELECT count(*) FROM alert_rules");
    }));
    QCOMPARE(rules, 2 * kEach);
}

QTEST_GUILESS_MAIN(StateDatabaseTest)
#include "tst_state_database.moc"
