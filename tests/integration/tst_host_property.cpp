// SPDX-License-Identifier: MIT
// Arrangements that are drawn: whatever the processes around a segment are and wherever, it is not
// offered while one of them lives that may need it, and not removed while one has it.
// SNAKEPIT_ARRANGEMENTS: how many; SNAKEPIT_SEED: which.
#include <sys/shm.h>
#include <unistd.h>

#include <QDir>
#include <QElapsedTimer>
#include <QtTest>

#include <cstdio>
#include <memory>
#include <random>
#include <vector>

#include "from_environment.h"
#include "host_ground.h"
#include "host_view.h"

using namespace snakepit::shm::test;

namespace {

constexpr int kTogether = 12;       // arrangements at a time
constexpr int kUsual = 36;          // arrangements, where nobody says how many
constexpr int kFirstUser = 72'000;  // each arrangement has some numbers
constexpr int kNumbersEach = 10;

struct Drawn {
    QString kind, owner, mode, place, maker, knower, holder, disguise;
    bool second = false;

    QString script() const {
        return QString(
                   "from host_random import *\n"
                   "arrange('%1', '%2', '%3', '%4', '%5', '%6', '%7', '%8', %9)\n")
            .arg(kind, owner, mode, place, maker, knower, holder, disguise,
                 second ? "True" : "False");
    }
    bool is_held() const { return !holder.isEmpty(); }
    // Somebody lives who may need it, or will come back to it.
    bool is_living() const {
        static const QStringList kStays{"key", "unknown", "number", "stays", "again"};
        return is_held() || maker == "lives" || !knower.isEmpty() || second ||
               kStays.contains(kind);
    }
};

class Draw {
  public:
    explicit Draw(unsigned seed) : random_(seed) {}

    // `quiet`: without a process of root, which may know whatever System V segment there is.
    Drawn one(bool quiet) {
        Drawn out;
        do {
            out.kind =
                quiet
                    ? of({"private", "private", "key", "psm", "torch"})
                    : of({"private", "private", "key", "psm", "psm", "torch", "pym", "loky", "nccl",
                          "pulse", "chromium", "mpi", "number", "unknown", "stays", "again"});
            out.owner = of({"user", "user", "given"});
            out.mode = of({"owner", "owner", "group", "all", "list"});
            out.place = of({"here", "here", "container", "inner container", "mounts"});
            out.maker = of({"lives", "exits", "exits"});
            out.knower = of({"", "", "", "owner", "other", "root"});
            out.holder = of({"", "", "", "", "", "open", "map", "namespace", "socket", "thread"});
            out.disguise = of({"", "title", "user namespace", "first thread", "another program"});
            out.second = of({"", "", "", "", "", "second"}) == "second";
        } while (!is_possible(out) || (quiet && needs_root(out)));
        return out;
    }
    QString of(const QStringList& some) {
        return some.at(std::uniform_int_distribution<qsizetype>(0, some.size() - 1)(random_));
    }
    Later later() {
        static const QList<qint64> kSteps{0, 0, 3, -3, 3600, -3600, 86'400, -86'400};
        return {of({"0", "900", "900", "90000"}).toLongLong(),
                kSteps.at(of({"0", "1", "2", "3", "4", "5", "6", "7"}).toInt())};
    }

  private:
    static bool is_possible(const Drawn& one) {
        static const QStringList kSystemV{"private", "key"};
        const bool system_v = kSystemV.contains(one.kind);
        if (system_v && (one.mode == "list" || one.second)) return false;
        if (system_v && one.is_held() && one.holder != "open") return false;
        return one.knower != "other" || one.mode != "owner";
    }
    static bool needs_root(const Drawn& one) {
        return one.owner == "given" || one.place != "here" || one.knower == "root" ||
               one.is_held() || one.second;
    }

    std::mt19937 random_;
};

struct Arranged {
    Drawn drawn;
    std::unique_ptr<Actor> actor;
    int user = 0;
};

QStringList names_of(const QJsonObject& item) {
    QStringList out;
    for (const auto& value : item["names"].toArray()) out += value.toString();
    return out;
}

bool is_there(const QString& name) {
    struct shmid_ds state {};
    if (name.startsWith("sysv:"))
        return ::shmctl(name.section(':', 1).toInt(), IPC_STAT, &state) == 0;
    return QFile::exists("/dev/shm/" + name);
}

}  // namespace

class HostProperty : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void whoever_lives_keeps_his_segments();

  private:
    std::vector<Arranged> arrange(int count, bool quiet);
    void look(const std::vector<Arranged>& all);
    void clean_by_force(const std::vector<Arranged>& all);
    void clean_unasked(const std::vector<Arranged>& all);
    void tidy();

    Looker looker_;
    Draw draw_{0};
    int living_ = 0, held_ = 0, dead_ = 0, offered_ = 0;
};

void HostProperty::initTestCase() {
    const auto seed = from_environment("SNAKEPIT_SEED", 20'260'729);
    draw_ = Draw(static_cast<unsigned>(seed));
    std::printf("seed %d\n", seed);
}

std::vector<Arranged> HostProperty::arrange(int count, bool quiet) {
    std::vector<Arranged> all;
    for (int at = 0; at < count; ++at) {
        const auto drawn = draw_.one(quiet);
        const int user = kFirstUser + at * kNumbersEach;
        all.push_back({drawn, std::make_unique<Actor>(drawn.script(), user), user});
    }
    for (const auto& one : all)
        if (!one.actor->ready())
            QTest::qFail(qPrintable(one.drawn.script() + one.actor->failure()), __FILE__, __LINE__);
    return all;
}

void HostProperty::look(const std::vector<Arranged>& all) {
    const auto later = draw_.later();
    const auto proc = draw_.of({"", "", "hidepid=1", "hidepid=2", "subset=pid"});
    const auto who = draw_.of({"root", "root", "owner"});
    const auto& some =
        all.at(static_cast<std::size_t>(draw_.of({"0", "1", "2"}).toInt()) % all.size());
    const int user = who == "root" ? 0 : some.user;
    const auto done = looker_.run({"host", "clean", "--dry-run", "--json"}, later, user, proc);
    const auto items = done.json();
    if (!items.contains("items")) QFAIL(qPrintable(done.err));
    for (const auto& value : items["items"].toArray()) {
        const auto item = value.toObject();
        if (!item["removable"].toBool()) continue;
        ++offered_;
        for (const auto& one : all)
            for (const auto& name : one.actor->segments())
                if (names_of(item).contains(name) && one.drawn.is_living())
                    QTest::qFail(
                        qPrintable(QString("%1 later %2 step %3 user %4 %5: %6\n%7")
                                       .arg(name)
                                       .arg(later.passed)
                                       .arg(later.stepped)
                                       .arg(user)
                                       .arg(proc, one.drawn.script(), item["reason"].toString())),
                        __FILE__, __LINE__);
    }
}

void HostProperty::clean_by_force(const std::vector<Arranged>& all) {
    QStringList held;
    for (const auto& one : all)
        if (one.drawn.is_held()) held += one.actor->segments();
    if (held.isEmpty()) return;
    held_ += static_cast<int>(held.size());
    (void)looker_.run(QStringList{"host", "clean", "--force", "--yes", "--json"} + held,
                      draw_.later());
    for (const auto& one : all)
        if (one.drawn.is_held())
            for (const auto& name : one.actor->segments())
                if (!is_there(name)) QFAIL(qPrintable(name + ": " + one.drawn.script()));
}

void HostProperty::clean_unasked(const std::vector<Arranged>& all) {
    (void)looker_.run({"host", "clean", "--yes", "--json"}, {.passed = 900});
    for (const auto& one : all) {
        if (!one.drawn.is_living()) {
            ++dead_;
            continue;
        }
        living_ += static_cast<int>(one.actor->segments().size());
        for (const auto& name : one.actor->segments())
            if (!is_there(name)) QFAIL(qPrintable(name + ": " + one.drawn.script()));
    }
}

// All of it is this test's: it stands in namespaces of its own.
void HostProperty::tidy() {
    for (const auto& name : QDir("/dev/shm").entryList(QDir::Files | QDir::Hidden))
        QFile::remove("/dev/shm/" + name);
    struct shmid_ds state {};
    const auto last = ::shmctl(0, SHM_INFO, &state);
    for (int at = 0; at <= last; ++at)
        if (const auto id = ::shmctl(at, SHM_STAT_ANY, &state); id >= 0)
            ::shmctl(id, IPC_RMID, nullptr);
}

void HostProperty::whoever_lives_keeps_his_segments() {
    if (::geteuid() != 0) QSKIP("needs root, to become other users");
    const int all = from_environment("SNAKEPIT_ARRANGEMENTS", kUsual);
    QElapsedTimer taken;
    taken.start();
    for (int done = 0; done < all; done += kTogether) {
        {
            const bool quiet = done / kTogether % 2 == 1;
            const auto some = arrange(std::min(kTogether, all - done), quiet);
            for (int looks = 0; looks < 4; ++looks) look(some);
            clean_by_force(some);
            clean_unasked(some);
        }
        tidy();
        if (QTest::currentTestFailed()) break;
    }
    std::printf(
        "%d arrangements in %lld s: %d segments of the living, %d of them held; %d of the "
        "dead, which were offered %d times\n",
        all, taken.elapsed() / 1000, living_, held_, dead_, offered_);
    QVERIFY(living_ > 0 && held_ > 0);
    // Where nothing were ever offered, nothing would be shown here.
    if (all >= 10 * kUsual) QVERIFY(offered_ > 0);
}

int main(int count, char** words) {
    if (!enter_own_ground()) {
        std::puts("SKIP: needs root and namespaces of its own");
        return 0;
    }
    HostProperty test;
    return QTest::qExec(&test, count, words);
}

#include "tst_host_property.moc"
