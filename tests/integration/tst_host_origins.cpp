// SPDX-License-Identifier: MIT
// What a survey says with an origin log: the same arrangements as in tst_host_table, each in a
// control group of its own as services, containers and jobs are. The table is the output of this
// test.
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <QtTest>

#include <atomic>
#include <cstdio>
#include <memory>
#include <thread>
#include <vector>

#include "control_group.h"
#include "host_arrangements.h"
#include "host_ground.h"
#include "host_view.h"
#include "origin_fixture.h"

using namespace snakepit::shm::test;

namespace {

constexpr int kLoner = 70'001;        // nothing else runs as this user
constexpr int kFirstTenant = 71'000;  // of living arrangements, each has some numbers
constexpr int kNumbersEach = 10;
constexpr Later kLater{.passed = 900};
// Of the dead ones with all users recorded, those that are kept: their names are such as a later
// run may look for, and once in a while a random number looks like a date. On a busy machine more
// were used by a process that ended before it could be identified, which the evidence says.
constexpr int kMostKept = 12;
constexpr auto kGap = "The origin log does not tell who";  // made it, or else opened it
// Actors live until they have been looked at, but programs that they start may end at once: those
// of a database server that is being set up.
constexpr auto kMakerGap = "The origin log does not tell who made it";
constexpr int kMostMakerGaps = 2;

struct Placed {
    std::unique_ptr<ControlGroup> group;
    std::unique_ptr<Actor> actor;

    Placed(const char* script, int user) {
        static int count = 0;
        group = std::make_unique<ControlGroup>(QString("actor-%1").arg(++count));
        actor = std::make_unique<Actor>(script, user, group->through());
    }
    void end() {
        actor->end();
        group->end();
    }
};

// What `host clean` removes unasked, and what `host` says.
class View {
  public:
    View(const Looker& looker, Later later, int user = 0) {
        const auto clean = looker.run({"host", "clean", "--dry-run", "--json"}, later, user).json();
        valid = clean.contains("items");
        for (const auto& item : clean["items"].toArray())
            if (item.toObject()["removable"].toBool())
                for (const auto& name : item.toObject()["names"].toArray())
                    offered += name.toString();
        survey = looker.run({"host", "--all", "--json"}, later, user).json();
    }
    QJsonObject of(const QString& name) const { return segment_named(survey, name); }

    bool valid = false;
    QStringList offered;
    QJsonObject survey;
};

}  // namespace

class HostOriginsTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void cleanupTestCase();
    void makers_are_named_after_their_end();
    void the_dead_are_offered();
    void our_own_looks_leave_no_trace();
    void nothing_young_is_offered();
    void a_pid_namespace_that_ended_is_proof();
    void users_see_the_same_without_it();
    void a_bundle_says_nothing_of_it();
    void living_programs_arrange_segments();
    void nothing_living_is_offered_data();
    void nothing_living_is_offered();
    void after_a_restart_nothing_more_is_offered();

  private:
    struct Dead {
        DeadArrangement arrangement;
        Placed of_user, of_root;
    };
    struct Living {
        LivingArrangement arrangement;
        Placed placed;
    };
    QString directory_ = "/dev/shm";
    std::unique_ptr<OriginLogProgram> log_;
    std::unique_ptr<Looker> looker_, without_;
    std::vector<Dead> dead_;
    std::vector<Living> living_;
};

void HostOriginsTest::initTestCase() {
    if (::geteuid() != 0) QSKIP("needs root, to become other users");
    if (!ControlGroup("probe").valid()) QSKIP("needs control groups of version 2");
    log_ = std::make_unique<OriginLogProgram>(QStringList{"--shm-path", directory_, "--only"});
    QVERIFY2(log_->start(), qPrintable(log_->said()));
    looker_ = std::make_unique<Looker>();
    looker_->set("SNAKEPIT_SHM_ORIGINS_DIR", log_->directory());
    without_ = std::make_unique<Looker>();
    without_->set("SNAKEPIT_SHM_ORIGINS_DIR", "/nonexistent");
    for (const auto& arrangement : dead_arrangements())
        if (arrangement.of_user.verdicts != QString("gone"))
            dead_.push_back({arrangement, {arrangement.script, kLoner}, {arrangement.script, 0}});
    for (auto& dead : dead_)
        for (auto* placed : {&dead.of_user, &dead.of_root})
            QVERIFY2(placed->actor->ready(),
                     qPrintable(dead.arrangement.name + placed->actor->failure()));
    // All of it is recorded before it ends.
    const View now(*looker_, {});
    QVERIFY(now.valid);
    for (auto& dead : dead_) {
        dead.of_user.end();
        dead.of_root.end();
    }
}

void HostOriginsTest::cleanupTestCase() {
    for (auto& living : living_) living.placed.end();
    living_.clear();
    dead_.clear();
    log_.reset();
}

void HostOriginsTest::makers_are_named_after_their_end() {
    const View root(*looker_, kLater);
    int gaps = 0;
    for (const auto& dead : dead_)
        for (const auto* placed : {&dead.of_user, &dead.of_root})
            for (const auto& name : placed->actor->segments()) {
                const auto segment = root.of(name);
                if (evidence_of(segment).contains(kMakerGap)) {
                    ++gaps;
                    continue;
                }
                const auto creator = segment["creator"].toObject();
                const auto said = dead.arrangement.name + (": " + evidence_of(segment));
                QVERIFY2(creator["known_by"].toString() == "origin_log", qPrintable(said));
                QVERIFY2(creator["life"].toString() == "exited", qPrintable(said));
                QVERIFY2(!creator["program"].toString().isEmpty(), qPrintable(said));
                QVERIFY2(said.contains("It was made by "), qPrintable(said));
                QVERIFY2(said.contains(", ended "), qPrintable(said));
                QVERIFY2(creator["cgroup"].toString().startsWith("snakepit-test-actor-"),
                         qPrintable(said));
            }
    QVERIFY2(gaps <= kMostMakerGaps, qPrintable(QString::number(gaps)));
}

void HostOriginsTest::the_dead_are_offered() {
    const View root(*looker_, kLater);
    QVERIFY(root.valid);
    std::printf("%-52s %-6s %-9s %5s\n", "arrangement", "owner", "verdict", "asked");
    int all = 0, offered = 0, gaps = 0;
    for (const auto& dead : dead_)
        for (const auto* placed : {&dead.of_user, &dead.of_root})
            for (const auto& name : placed->actor->segments()) {
                const auto segment = root.of(name);
                const bool removable = root.offered.contains(name);
                const bool gap = evidence_of(segment).contains(kGap);
                std::printf("%-52s %-6s %-9s %3d %%  %s\n", dead.arrangement.name,
                            placed == &dead.of_root ? "root" : "user",
                            qPrintable(segment["verdict"].toString()),
                            segment["confidence_if_unused"].toInt(),
                            removable ? "offered" : "kept");
                if (!removable)
                    std::printf("    %s: %s\n", qPrintable(name), qPrintable(evidence_of(segment)));
                ++all;
                offered += removable ? 1 : 0;
                gaps += gap && !removable ? 1 : 0;
            }
    std::printf("of %d dead segments %d are offered: %d %%; of %d the log has gaps\n", all, offered,
                offered * 100 / all, gaps);
    QVERIFY(offered > 0 && all - gaps - offered <= kMostKept);
}

// A rehearsal opens what it would remove, to ask the kernel who has it. On a busy machine it used
// to end before the log could see what it is.
void HostOriginsTest::our_own_looks_leave_no_trace() {
    std::atomic<bool> busy{true};
    std::vector<std::thread> load;
    for (unsigned i = 0; i < 4 * std::thread::hardware_concurrency(); ++i)
        load.emplace_back([&busy] {
            while (busy) {
            }
        });
    QCOMPARE(::setpriority(PRIO_PROCESS, static_cast<id_t>(log_->pid()), 19), 0);
    for (int i = 0; i < 5; ++i) looker_->run({"host", "clean", "--dry-run", "--json"}, kLater, 0);
    busy = false;
    QCOMPARE(::setpriority(PRIO_PROCESS, static_cast<id_t>(log_->pid()), 0), 0);
    for (auto& thread : load) thread.join();
    const View root(*looker_, kLater);
    QVERIFY(root.valid);
    for (const auto& dead : dead_)
        for (const auto* placed : {&dead.of_user, &dead.of_root})
            for (const auto& name : placed->actor->segments()) {
                const auto said = evidence_of(root.of(name));
                QVERIFY2(!said.contains("(snakepit-shm) may know it"), qPrintable(said));
            }
}

void HostOriginsTest::nothing_young_is_offered() {
    const View view(*looker_, {.passed = 300});
    QVERIFY(view.valid);
    QVERIFY2(view.offered.isEmpty(), qPrintable(view.offered.join(' ')));
}

// Of a process whose control group has others.
void HostOriginsTest::a_pid_namespace_that_ended_is_proof() {
    const char* script = R"(
def inside():
    become(70002); file('psm_%s' % random_name()); hold()
in_container(inside, 31800)
ready())";
    Actor alone(script, 70'002);
    QVERIFY2(alone.ready(), qPrintable(alone.failure()));
    const auto name = alone.segments().front();
    const View living(*looker_, kLater);
    QVERIFY2(living.valid && !living.offered.contains(name),
             qPrintable(evidence_of(living.of(name))));
    alone.end();
    const View ended(*looker_, kLater);
    QVERIFY2(ended.offered.contains(name), qPrintable(evidence_of(ended.of(name))));
    QFile::remove("/dev/shm/" + name);
}

// Owners look at their own and at others'.
void HostOriginsTest::users_see_the_same_without_it() {
    const auto words = QStringList{"host", "--all", "--json"};
    for (const int user : {kLoner, kFirstTenant}) {
        auto with = looker_->run(words, kLater, user).json();
        auto without = without_->run(words, kLater, user).json();
        QVERIFY(!with["segments"].toArray().isEmpty());
        QVERIFY(!QJsonDocument(with).toJson().contains("origin"));
        const auto said = [](const QJsonObject& survey) {
            QStringList out;
            for (const auto& value : survey["segments"].toArray()) {
                const auto segment = value.toObject();
                if (segment["kind"].toString() == "memfd" || segment["unlinked"].toBool()) continue;
                if (!segment["namespace"].isNull()) continue;
                out += QJsonDocument(segment["creator"].toObject()).toJson();
                out += segment["verdict"].toString();
            }
            return out;
        };
        QCOMPARE(said(with), said(without));
    }
}

void HostOriginsTest::a_bundle_says_nothing_of_it() {
    QTemporaryDir directory;
    const auto bundle = directory.filePath("bundle");
    const auto done = looker_->run({"diagnose", "-o", bundle}, kLater);
    QVERIFY2(done.status == 0, qPrintable(done.err));
    QProcess unpack;
    unpack.setWorkingDirectory(directory.path());
    unpack.start("sqlite3", {bundle, "-Ax"});
    if (!unpack.waitForFinished(60'000) || unpack.exitCode() != 0) QSKIP("needs sqlite3");
    QFile host(directory.filePath("host.json"));
    QVERIFY(host.open(QIODevice::ReadOnly));
    const auto text = host.readAll();
    QVERIFY(text.contains("\"segments\""));
    QVERIFY(!text.contains("origin_log"));
    QVERIFY(!text.contains("It was made by"));
}

void HostOriginsTest::living_programs_arrange_segments() {
    int user = kFirstTenant;
    for (const auto& arrangement : living_arrangements()) {
        living_.push_back({arrangement, {arrangement.script, user}});
        user += kNumbersEach;
    }
    for (auto& living : living_)
        QVERIFY2(living.placed.actor->ready(),
                 qPrintable(living.arrangement.name + living.placed.actor->failure()));
}

void HostOriginsTest::nothing_living_is_offered_data() {
    QTest::addColumn<qint64>("passed");
    QTest::addColumn<qint64>("stepped");
    for (const qint64 passed : {0, 900, 90'000})
        for (const qint64 step : {0, 3600, -86'400})
            QTest::addRow("%lld s later, the clock set by %lld s", passed, step) << passed << step;
}

void HostOriginsTest::nothing_living_is_offered() {
    QFETCH(qint64, passed);
    QFETCH(qint64, stepped);
    const View view(*looker_, {passed, stepped});
    QVERIFY(view.valid);
    int all = 0;
    QStringList wrong;
    for (const auto& living : living_)
        for (const auto& name : living.placed.actor->segments()) {
            ++all;
            if (view.offered.contains(name))
                wrong += QString("%1 (%2): %3")
                             .arg(living.arrangement.name, name, evidence_of(view.of(name)));
        }
    std::printf("of %d living segments %d are offered\n", all, static_cast<int>(wrong.size()));
    QVERIFY2(wrong.isEmpty(), qPrintable(wrong.join('\n')));
}

void HostOriginsTest::after_a_restart_nothing_more_is_offered() {
    QVERIFY(log_->start());
    const View with(*looker_, kLater), without(*without_, kLater);
    QVERIFY(with.valid && without.valid);
    for (const auto& name : with.offered)
        QVERIFY2(without.offered.contains(name), qPrintable(evidence_of(with.of(name))));
    // Who made it is known all the same.
    int named = 0;
    for (const auto& dead : dead_)
        for (const auto& name : dead.of_user.actor->segments())
            named +=
                with.of(name)["creator"].toObject()["known_by"].toString() == "origin_log" ? 1 : 0;
    QVERIFY(named > 0);
}

int main(int count, char** words) {
    const bool own = enter_own_ground();
    HostOriginsTest test;
    if (!own) {
        std::puts("SKIP: needs root and namespaces of its own");
        return 0;
    }
    return QTest::qExec(&test, count, words);
}

#include "tst_host_origins.moc"
