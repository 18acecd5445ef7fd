// SPDX-License-Identifier: MIT
// Names of regions, as programs and people use them, when many want the same one and when the
// manager is killed.
#include <QtTest>

#include <QJsonArray>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "name_user.h"
#include "service_fixture.h"
#include "snakepit/shm/client.h"

using namespace snakepit::shm::test;

class Names : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init() {
        service_ = std::make_unique<Service>();
        QVERIFY(service_->start());
        service_->host().use_in_this_process(service_->instance());
    }
    void cleanup() { service_.reset(); }
    void every_command_takes_a_name();
    void an_id_and_its_parts_are_found_beside_names();
    void what_cannot_be_a_name_is_refused();
    void programs_that_race_for_a_name_get_it_once();
    void a_withdrawn_name_is_anothers_while_its_memory_is_held();
    void a_lock_by_name_is_released_where_it_was_taken();
    void a_name_costs_one_request_and_an_id_none();
    void names_hold_when_the_manager_is_killed();
    void programs_that_open_a_name_at_once_share_one_region();
    void an_owner_that_is_killed_leaves_its_region_as_it_said_data();
    void an_owner_that_is_killed_leaves_its_region_as_it_said();
    void an_owner_that_disconnects_has_ended_too();

  private:
    std::unique_ptr<Peer> user() {
        auto environment = service_->host().environment(service_->instance());
        auto peer = std::make_unique<Peer>(QCoreApplication::applicationFilePath(),
                                           QStringList{"name-user"}, environment);
        return peer->line() == "connected" ? std::move(peer) : nullptr;
    }
    QJsonArray regions(const QString& filter = {}) {
        auto words = QStringList{"list"};
        if (!filter.isEmpty()) words << filter;
        return service_->cli_json(words)["regions"].toArray();
    }

    std::unique_ptr<Service> service_;
};

void Names::every_command_takes_a_name() {
    const auto id =
        service_->cli_json({"allocate", "64KiB", "--name", "model one"})["id"].toString();
    QVERIFY(id.startsWith("shm_"));
    const auto plain = service_->cli_json({"allocate", "4096"})["id"].toString();
    const auto table = service_->cli({"list"}).out;
    QVERIFY2(table.contains("NAME") && table.contains("model one"), qPrintable(table));
    QCOMPARE(service_->cli_json({"info", "model one"})["id"].toString(), id);
    QCOMPARE(service_->cli_json({"info", id})["name"].toString(), "model one");
    QVERIFY(service_->cli_json({"info", plain})["name"].isNull());
    QVERIFY(service_->cli_json({"info", plain}).contains("name"));
    QCOMPARE(regions("name:model").size(), 1);
    QCOMPARE(regions("name=other").size(), 0);
    QCOMPARE(service_->cli({"wait", "model one", "--state", "live", "--timeout", "5s"}).status, 0);
    QCOMPARE(service_->cli({"read", "model one", "--size", "16"}).status, 0);
    QCOMPARE(service_->cli({"policy", "show", "model one"}).status, 0);
    QCOMPARE(service_->cli({"policy", "check", "model one"}).status, 0);
    QCOMPARE(service_->cli({"locks", "model one"}).status, 0);
    QCOMPARE(service_->cli({"dump", "model one"}).status, 0);
    const auto refused = service_->cli({"allocate", "4096", "--name", "model one", "--json"});
    QCOMPARE(refused.status, 1);
    QCOMPARE(refused.error()["code"].toString(), "name_in_use");
    QCOMPARE(refused.error()["type"].toString(), "allocation_failed");
    QCOMPARE(refused.error()["region_id"].toString(), id);
    const auto events =
        service_->cli_json({"events", "--region", "model one", "--kind", "allocated"})["events"]
            .toArray();
    QCOMPARE(events.size(), 1);
    QCOMPARE(events[0].toObject()["detail"].toObject()["name"].toString(), "model one");
    QCOMPARE(service_->cli({"deallocate", "model one"}).status, 0);
    QCOMPARE(service_->cli({"info", "model one"}).status, 1);
    QCOMPARE(service_->cli({"wait", "model one", "--gone"}).status, 0);
    // The history still knows whose name it was.
    QVERIFY(service_->cli({"events", "--region", "model one"}).out.contains("freed"));
}

void Names::an_id_and_its_parts_are_found_beside_names() {
    const auto id = service_->cli_json({"allocate", "4096"})["id"].toString();
    const auto end = id.right(8);
    QCOMPARE(service_->cli_json({"info", end})["id"].toString(), id);
    const auto named = service_->cli_json({"allocate", "4096", "--name", end})["id"].toString();
    QCOMPARE(service_->cli_json({"info", end})["id"].toString(), named);
    QCOMPARE(service_->cli_json({"info", id})["id"].toString(), id);
    const auto user = qEnvironmentVariable("USER", "root");
    const auto own = QString::number(::geteuid()) + "/" + end;
    QCOMPARE(service_->cli_json({"info", own})["id"].toString(), named);
    const auto missing = service_->cli({"info", "nothing like that", "--json"});
    QCOMPARE(missing.status, 1);
    QCOMPARE(missing.error()["code"].toString(), "region_not_found");
    QCOMPARE(service_->cli({"info", "shm_12"}).status, 2);
}

void Names::what_cannot_be_a_name_is_refused() {
    for (const auto* name : {"a/b", "~a", "shm_a", "a\nb"}) {
        const auto refused = service_->cli({"allocate", "4096", "--name", name, "--json"});
        QCOMPARE(refused.status, 2);
        QCOMPARE(refused.error()["code"].toString(), "invalid_argument");
    }
    QCOMPARE(service_->cli({"allocate", "4096", "--name", "a", "--count", "2"}).status, 2);
    QCOMPARE(regions().size(), 0);
    const auto client = snakepit::Client::connect();
    QVERIFY(client.has_value());
    for (const auto* name : {"a/b", "-a", "shm_a", "\xFF", "\x01"}) {
        snakepit::Options options;
        options.name = name;
        QCOMPARE(client->allocate(4096, options).error().status, SNAKEPIT_SHM_INVALID_ARGUMENT);
    }
    QCOMPARE(client->map("shm_a").error().status, SNAKEPIT_SHM_INVALID_REGION_ID);
    QCOMPARE(client->map("").error().status, SNAKEPIT_SHM_INVALID_REGION_ID);
    QCOMPARE(client->map("a").error().status, SNAKEPIT_SHM_REGION_NOT_FOUND);
}

void Names::programs_that_race_for_a_name_get_it_once() {
    constexpr int kRacers = 6, kRounds = 60;
    std::vector<std::unique_ptr<Peer>> racers;
    for (int i = 0; i < kRacers; ++i) {
        racers.push_back(user());
        QVERIFY(racers.back());
    }
    for (int round = 0; round < kRounds; ++round) {
        // Small ones at once, large ones in the background, so that the others have to wait.
        const auto line = QString("allocate race-%1 %2").arg(round).arg(round % 3 ? 4096 : 8 << 20);
        for (const auto& racer : racers) racer->say(line);
        int got = 0;
        for (const auto& racer : racers) {
            const auto answer = racer->line();
            if (answer.startsWith("ok "))
                ++got;
            else
                QCOMPARE(answer, "name_in_use");
        }
        QCOMPARE(got, 1);
    }
    QCOMPARE(regions("name:race-").size(), kRounds);
}

void Names::a_withdrawn_name_is_anothers_while_its_memory_is_held() {
    const auto one = user(), two = user();
    QVERIFY(one && two);
    const auto first = one->ask("allocate data 4096");
    QVERIFY(first.startsWith("ok "));
    QCOMPARE(two->ask("map data"), "ok 4096");
    QCOMPARE(two->ask("put data old"), "ok");
    QCOMPARE(one->ask("deallocate data"), "ok");
    QCOMPARE(one->ask("resolve data"), "region_not_found");
    const auto second = one->ask("allocate data 8192");
    QVERIFY(second.startsWith("ok ") && second != first);
    QCOMPARE(one->ask("map data"), "ok 8192");
    QCOMPARE(one->ask("put data new"), "ok");
    QCOMPARE(two->ask("get data"), "ok old");
    QCOMPARE(two->ask("unmap data"), "ok");
    QCOMPARE(two->ask("map data"), "ok 8192");
    QCOMPARE(two->ask("get data"), "ok new");
    QCOMPARE(regions("name=data").size(), 1);
    one->end();
    QCOMPARE(two->ask("get data"), "ok new");
    QCOMPARE(two->ask("resolve data"), second);
}

void Names::a_lock_by_name_is_released_where_it_was_taken() {
    const auto one = user(), two = user();
    QVERIFY(one && two);
    const auto first = two->ask("allocate data 4096").mid(3);
    QCOMPARE(one->ask("lock data"), "ok");
    QCOMPARE(two->ask("deallocate data"), "ok");
    QVERIFY(two->ask("allocate data 4096").startsWith("ok "));
    QCOMPARE(regions("id=" + first).size(), 1);
    QCOMPARE(one->ask("unlock data"), "ok");
    QTRY_COMPARE_WITH_TIMEOUT(regions("id=" + first).size(), 0, kPatienceMs);
    QCOMPARE(regions("name=data").size(), 1);
}

void Names::a_name_costs_one_request_and_an_id_none() {
    const auto client = snakepit::Client::connect();
    snakepit::Options options;
    options.name = "data";
    const auto region = client->allocate(4096, options);
    QVERIFY(region.has_value());
    QVERIFY(client->map("data").has_value());
    auto before = client->round_trips();
    for (int i = 0; i < 10; ++i) QVERIFY(client->map("data").has_value());
    QCOMPARE(client->round_trips() - before, std::uint64_t{10});
    const auto found = client->find("data");
    QVERIFY(found.has_value());
    QCOMPARE(found->id(), region->id());
    before = client->round_trips();
    for (int i = 0; i < 10; ++i) QVERIFY(found->map().has_value());
    QCOMPARE(client->round_trips(), before);
    QCOMPARE(client->map_cached("data").error().status, SNAKEPIT_SHM_NOT_CACHED);
    QCOMPARE(client->map_cached("shm_x").error().status, SNAKEPIT_SHM_INVALID_REGION_ID);
    QVERIFY(client->map_cached(region->id()).has_value());
    QCOMPARE(client->round_trips(), before);
}

// What a program was told that it has, it has, and nobody else has it, whenever the manager dies.
void Names::names_hold_when_the_manager_is_killed() {
    constexpr int kUsers = 3, kKills = 12, kNames = 4;
    std::mt19937 random(7);
    std::vector<std::unique_ptr<Peer>> users;
    std::vector<QString> ids(kNames);
    std::vector<int> owners(kNames, -1);
    for (int i = 0; i < kUsers; ++i) {
        users.push_back(user());
        QVERIFY(users.back());
    }
    for (int kill = 0; kill < kKills; ++kill) {
        // Questions that the manager dies over: each is answered by it or by the next one.
        std::vector<QString> asked(kUsers);
        for (int i = 0; i < kUsers; ++i) {
            const int name = static_cast<int>(random() % kNames);
            const bool give = owners[static_cast<std::size_t>(name)] == i;
            asked[static_cast<std::size_t>(i)] =
                give ? QString("deallocate name-%1").arg(name)
                     : QString("allocate name-%1 %2").arg(name).arg(random() % 2 ? 4096 : 6 << 20);
            users[static_cast<std::size_t>(i)]->say(asked[static_cast<std::size_t>(i)]);
        }
        if (random() % 2) QTest::qSleep(static_cast<int>(random() % 8));
        QVERIFY(service_->restart_after_kill());
        std::vector<QString> answers;
        for (const auto& one : users) answers.push_back(one->line());
        for (int i = 0; i < kUsers; ++i) {
            const auto& question = asked[static_cast<std::size_t>(i)];
            const auto& answer = answers[static_cast<std::size_t>(i)];
            const auto name =
                static_cast<std::size_t>(question.section("name-", 1).at(0).digitValue());
            if (!answer.startsWith("ok")) continue;
            const bool gave = question.startsWith("deallocate");
            // Of those that asked for it at once at most one got it, after it was given away.
            owners[name] = gave && owners[name] == i ? -1 : gave ? owners[name] : i;
            if (!gave) ids[name] = answer.mid(3);
        }
        std::set<QString> listed;
        for (const auto& value : regions()) {
            const auto region = value.toObject();
            if (region["state"].toString() == "closing") continue;
            QVERIFY(listed.insert(region["name"].toString()).second);
        }
        for (std::size_t name = 0; name < kNames; ++name) {
            if (owners[name] < 0) continue;
            const auto& owner = users[static_cast<std::size_t>(owners[name])];
            QCOMPARE(owner->ask(QString("resolve name-%1").arg(name)), "ok " + ids[name]);
        }
    }
}

void Names::programs_that_open_a_name_at_once_share_one_region() {
    constexpr int kPrograms = 6, kRounds = 40;
    std::vector<std::unique_ptr<Peer>> programs;
    for (int i = 0; i < kPrograms; ++i) {
        programs.push_back(user());
        QVERIFY(programs.back());
    }
    for (int round = 0; round < kRounds; ++round) {
        const auto name = QString("open-%1").arg(round);
        const auto size = round % 3 ? 4096 : 8 << 20;
        for (const auto& one : programs) one->say(QString("open %1 %2").arg(name).arg(size));
        // The manager dies over some of the questions.
        const bool killed = round % 10 == 9;
        if (killed) QVERIFY(service_->restart_after_kill());
        std::set<QString> ids;
        int created = 0;
        for (const auto& one : programs) {
            auto line = one->line();
            // A request over which a manager ended while it took memory is not repeated by itself.
            if (killed && line == "allocation_failed")
                line = one->ask(QString("open %1 %2").arg(name).arg(size));
            const auto answer = line.split(' ');
            QVERIFY2(answer.size() == 3 && answer[0] == "ok", qPrintable(answer.join(' ')));
            created += answer[1] == "created" ? 1 : 0;
            ids.insert(answer[2]);
        }
        QCOMPARE(created, 1);
        QCOMPARE(ids.size(), std::size_t{1});
        QCOMPARE(programs[0]->ask(QString("put %1 text-%2").arg(name).arg(round)), "ok");
        for (const auto& one : programs)
            QCOMPARE(one->ask("get " + name), QString("ok text-%1").arg(round));
    }
}

void Names::an_owner_that_is_killed_leaves_its_region_as_it_said_data() {
    QTest::addColumn<QString>("end");
    QTest::addColumn<bool>("found");  // at once after the kill
    QTest::addColumn<bool>("stays");  // when nobody holds it any more
    QTest::newRow("keep") << "keep" << true << true;
    QTest::newRow("grace") << "grace" << true << false;
    QTest::newRow("withdraw") << "withdraw" << false << false;
}

void Names::an_owner_that_is_killed_leaves_its_region_as_it_said() {
    QFETCH(QString, end);
    QFETCH(bool, found);
    QFETCH(bool, stays);
    service_->host().configure("grace_period = \"200ms\"\n");
    QCOMPARE(service_->cli({"config", "reload"}).status, 0);
    auto owner = user();
    const auto other = user();
    QVERIFY(owner && other);
    const auto id = owner->ask("allocate data 4096 " + end).mid(3);
    QCOMPARE(service_->cli_json({"info", id})["owner_end"].toString(), end);
    QCOMPARE(owner->ask("map data"), "ok 4096");
    QCOMPARE(owner->ask("put data text"), "ok");
    QCOMPARE(other->ask("map data"), "ok 4096");
    QVERIFY(service_->restart_after_kill());  // it is kept with the region
    owner->end(SIGKILL);
    const auto state = [&] { return service_->cli_json({"info", id})["state"].toString(); };
    QTRY_COMPARE_WITH_TIMEOUT(state(), found ? "orphan" : "closing", kPatienceMs);
    QCOMPARE(other->ask("resolve data"), found ? "ok " + id : QString("region_not_found"));
    QCOMPARE(other->ask("get data"), "ok text");
    const auto next = other->ask("allocate data 8192");
    QCOMPARE(next.startsWith("ok "), !found);
    QCOMPARE(other->ask("unmap data"), "ok");
    if (stays) {
        QTest::qSleep(600);  // three times the grace period: nothing may happen in it
        QCOMPARE(state(), "orphan");
    } else {
        QTRY_COMPARE_WITH_TIMEOUT(service_->cli({"info", id}).status, 1, kPatienceMs);
    }
    const auto gone = service_->cli_json({"events", "--region", id, "--kind", "owner_gone"});
    QCOMPARE(gone["events"].toArray().size(), 1);
    QCOMPARE(gone["events"][0].toObject()["detail"].toObject()["owner_end"].toString(), end);
}

void Names::an_owner_that_disconnects_has_ended_too() {
    const auto other = snakepit::Client::connect();
    {
        const auto owner = snakepit::Client::connect();
        snakepit::Options options;
        options.name = "data";
        options.owner_end = SNAKEPIT_SHM_OWNER_END_WITHDRAW;
        QVERIFY(owner->allocate(4096, options).has_value());
        QVERIFY(other->find("data").has_value());
    }
    QTRY_VERIFY_WITH_TIMEOUT(!other->find("data").has_value(), kPatienceMs);
    QVERIFY(other->open("data", 8192).has_value());
}

int main(int argc, char** argv) {
    if (argc == 2 && std::string(argv[1]) == "name-user") return run_name_user();
    QCoreApplication app(argc, argv);
    Names test;
    return QTest::qExec(&test, argc, argv);
}
#include "tst_names.moc"
