// SPDX-License-Identifier: MIT
// What is said of segments that programs left, and of those that somebody will come back to: the
// table is the output of this test.
#include <sys/stat.h>
#include <unistd.h>

#include <QtTest>

#include <cstdio>
#include <memory>
#include <vector>

#include "host_arrangements.h"
#include "host_ground.h"
#include "host_view.h"

using namespace snakepit::shm::test;

namespace {

constexpr int kLoner = 70'001;          // nothing runs as this user
constexpr int kFirstTenant = 71'000;    // of living arrangements, each has some numbers
constexpr int kNumbersEach = 10;        // and a user and a group more
constexpr Later kLater{.passed = 900};  // long enough for nobody to be sure that it is in use

// Surveys take whatever is not told for a reason to be careful, and the kernel knows more.
struct Seen {
    QString verdict = "gone";
    int confidence = 0, when_asked = 0;
    bool offered = false;
};

bool is_called(const QJsonObject& segment, const QString& name) {
    return segment["names"].toArray().contains(name);
}

// Everything that is said of one moment, by one user.
class View {
  public:
    View(const Looker& looker, Later later, int user) : View(looker, later, user, QString()) {
        survey_ = looker.run({"host", "--all", "--json"}, later, user).json();
        valid_ = valid_ && survey_.contains("segments");
    }
    // Only what is offered.
    View(const Looker& looker, Later later, int user, const QString& proc_options) {
        const auto clean =
            looker.run({"host", "clean", "--dry-run", "--json"}, later, user, proc_options).json();
        valid_ = clean.contains("items");
        for (const auto& item : clean["items"].toArray())
            if (item.toObject()["removable"].toBool()) offered_.append(item.toObject());
    }
    bool valid() const { return valid_; }
    Seen of(const QString& name) const {
        Seen out;
        for (const auto& segment :
             segments_in(survey_, [&](const QJsonObject& one) { return is_called(one, name); })) {
            out.verdict = segment["verdict"].toString();
            out.confidence = segment["confidence"].toInt();
            out.when_asked = segment["confidence_if_unused"].toInt();
        }
        for (const auto& item : offered_)
            out.offered = out.offered || item["name"].toString() == name || is_called(item, name) ||
                          is_called(item["segment"].toObject(), name);
        return out;
    }
    QString evidence(const QString& name) const {
        for (const auto& segment :
             segments_in(survey_, [&](const QJsonObject& one) { return is_called(one, name); }))
            return evidence_of(segment);
        return {};
    }

  private:
    bool valid_ = false;
    QJsonObject survey_;
    QList<QJsonObject> offered_;
};

void print(const char* name, const char* fate, const QString& owner, const QString& looker,
           const Seen& seen, bool as_wanted) {
    std::printf("%-52s %-6s %-6s %-6s %-9s %3d %% %3d %%  %-7s %s\n", name, fate, qPrintable(owner),
                qPrintable(looker), qPrintable(seen.verdict), seen.confidence, seen.when_asked,
                seen.offered ? "offered" : "kept", as_wanted ? "ok" : "WRONG");
    std::fflush(stdout);
}

}  // namespace

class HostTable : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void cleanupTestCase();
    void what_is_dead_is_found();
    void nothing_young_is_offered();
    void cleaning_takes_what_is_certain();
    void living_programs_arrange_segments();
    void nothing_living_is_offered_data();
    void nothing_living_is_offered();
    void nobody_is_offered_what_he_cannot_judge_data();
    void nobody_is_offered_what_he_cannot_judge();
    void what_a_manager_has_is_its_own_for_every_user();
    void what_is_held_stays_whatever_is_said_data();
    void what_is_held_stays_whatever_is_said();
    void cleaning_leaves_what_is_living();

  private:
    struct Dead {
        DeadArrangement arrangement;
        std::unique_ptr<Actor> of_user, of_root;
    };
    struct Living {
        LivingArrangement arrangement;
        std::unique_ptr<Actor> actor;
        int user = 0;
    };
    int tell(const Dead& dead, const QString& owner, const QString& looker, const View& view);
    QStringList living_segments(bool only_held = false) const;
    // Names of living ones that a view offers, with why.
    QStringList offered_by(const View& view) const;

    Looker looker_;
    std::vector<Dead> dead_;
    std::vector<Living> living_;
};

void HostTable::initTestCase() {
    if (::geteuid() != 0) QSKIP("needs root, to become other users");
    for (const auto& arrangement : dead_arrangements())
        dead_.push_back({arrangement, std::make_unique<Actor>(arrangement.script, kLoner),
                         std::make_unique<Actor>(arrangement.script, 0)});
    for (auto& [arrangement, of_user, of_root] : dead_) {
        QVERIFY2(of_user->ready(), qPrintable(arrangement.name + of_user->failure()));
        QVERIFY2(of_root->ready(), qPrintable(arrangement.name + of_root->failure()));
    }
    for (auto& [arrangement, of_user, of_root] : dead_) {
        of_user->end();
        of_root->end();
    }
    std::printf("%-52s %-6s %-6s %-6s %-9s %-12s %-7s\n", "arrangement", "fate", "owner", "looker",
                "verdict", "seen  asked", "unasked");
}

// Programs of root are among them, which may know what the dead left.
void HostTable::living_programs_arrange_segments() {
    int user = kFirstTenant;
    for (const auto& arrangement : living_arrangements()) {
        living_.push_back({arrangement, std::make_unique<Actor>(arrangement.script, user), user});
        user += kNumbersEach;
    }
    for (auto& living : living_)
        QVERIFY2(living.actor->ready(),
                 qPrintable(living.arrangement.name + living.actor->failure()));
}

void HostTable::cleanupTestCase() {
    living_.clear();
    dead_.clear();
}

// How many of its segments were found out.
int HostTable::tell(const Dead& dead, const QString& owner, const QString& looker,
                    const View& view) {
    const bool of_root = owner == "root";
    const auto& wanted = of_root ? dead.arrangement.of_root : dead.arrangement.of_user;
    const auto& segments = (of_root ? dead.of_root : dead.of_user)->segments();
    // What programs of root may know is not told to others.
    const bool told_all = looker == "root";
    int found = 0;
    for (const auto& name : segments) {
        const auto seen = view.of(name);
        const bool as_wanted =
            QString(wanted.verdicts).split('|').contains(seen.verdict) &&
            seen.when_asked >= (told_all ? wanted.confidence : std::min(wanted.confidence, 85)) &&
            (seen.offered || !wanted.offered || !told_all);
        print(dead.arrangement.name, "dead", owner, looker, seen, as_wanted);
        if (!as_wanted)
            QTest::qFail(
                qPrintable(
                    QString("%1 (%2): %3").arg(dead.arrangement.name, name, view.evidence(name))),
                __FILE__, __LINE__);
        if (seen.offered || (seen.verdict == "left_over" && seen.when_asked >= 75)) ++found;
    }
    return found;
}

void HostTable::what_is_dead_is_found() {
    const View root(looker_, kLater, 0), user(looker_, kLater, kLoner);
    QVERIFY(root.valid() && user.valid());
    int found = 0, all = 0;
    for (const auto& dead : dead_) {
        if (dead.arrangement.of_user.verdicts == QString("gone")) {
            tell(dead, "user", "root", root);
            continue;
        }
        found += tell(dead, "user", "root", root) + tell(dead, "user", "user", user) +
                 tell(dead, "root", "root", root);
        all +=
            static_cast<int>(2 * dead.of_user->segments().size() + dead.of_root->segments().size());
    }
    std::printf("of %d dead ones %d are found: %d %%\n", all, found, found * 100 / all);
    QVERIFY(found * 100 >= all * 60);
}

QStringList HostTable::living_segments(bool only_held) const {
    QStringList out;
    for (const auto& living : living_)
        if (living.arrangement.held || !only_held) out += living.actor->segments();
    return out;
}

QStringList HostTable::offered_by(const View& view) const {
    QStringList out;
    for (const auto& living : living_)
        for (const auto& name : living.actor->segments())
            if (view.of(name).offered)
                out +=
                    QString("%1 (%2): %3").arg(living.arrangement.name, name, view.evidence(name));
    return out;
}

void HostTable::nothing_young_is_offered() {
    const View view(looker_, {}, 0);
    QVERIFY(view.valid());
    for (const auto& dead : dead_)
        for (const auto& actor : {dead.of_user.get(), dead.of_root.get()})
            for (const auto& name : actor->segments())
                QVERIFY2(!view.of(name).offered, qPrintable(view.evidence(name)));
}

void HostTable::nothing_living_is_offered_data() {
    QTest::addColumn<qint64>("passed");
    QTest::addColumn<qint64>("stepped");
    QTest::newRow("after a quarter of an hour") << qint64{900} << qint64{0};
    QTest::newRow("at once") << qint64{0} << qint64{0};
    QTest::newRow("after a day") << qint64{90'000} << qint64{0};
    for (const qint64 step : {3, 3600, 86'400, -3, -3600, -86'400})
        for (const qint64 passed : {0, 900})
            QTest::addRow("%lld s later, the clock set by %lld s", passed, step) << passed << step;
}

void HostTable::nothing_living_is_offered() {
    QFETCH(qint64, passed);
    QFETCH(qint64, stepped);
    const bool first = QTest::currentDataTag() == QString("after a quarter of an hour");
    const Later later{passed, stepped};
    const auto view = first ? View(looker_, later, 0) : View(looker_, later, 0, QString());
    QVERIFY(view.valid());
    for (const auto& living : living_)
        for (const auto& name : living.actor->segments())
            if (first) {
                const auto seen = view.of(name);
                print(living.arrangement.name, "living", "-", "root", seen, !seen.offered);
            }
    const auto offered = offered_by(view);
    QVERIFY2(offered.isEmpty(), qPrintable(offered.join("\n")));
}

void HostTable::nobody_is_offered_what_he_cannot_judge_data() {
    QTest::addColumn<QString>("options");
    QTest::newRow("all of /proc") << "hidepid=0";
    QTest::newRow("hidepid=1") << "hidepid=1";
    QTest::newRow("hidepid=2") << "hidepid=2";
    QTest::newRow("hidepid=ptraceable") << "hidepid=ptraceable";
    QTest::newRow("subset=pid") << "subset=pid";
}

// Each owner looks at his own.
void HostTable::nobody_is_offered_what_he_cannot_judge() {
    QFETCH(QString, options);
    const bool usual = options == "hidepid=0" || options == "hidepid=1";
    for (std::size_t at = 0; at < living_.size(); at += usual ? 1 : 4) {
        const View view(looker_, kLater, living_[at].user, options);
        QVERIFY(view.valid());
        const auto offered = offered_by(view);
        QVERIFY2(offered.isEmpty(), qPrintable(offered.join("\n")));
    }
}

// Also for one who may not see its registry.
void HostTable::what_a_manager_has_is_its_own_for_every_user() {
    Service service;
    QVERIFY(service.start());
    QCOMPARE(service.cli({"allocate", "1MiB"}).status, 0);
    const auto place = service.host().path("segments");
    QVERIFY(::chmod(qPrintable(service.host().path({})), 0711) == 0);
    QVERIFY(::chmod(qPrintable(place), 0755) == 0);
    for (const int user : {0, kLoner}) {
        const auto survey =
            looker_.run({"host", "--shm-path", place, "--json"}, kLater, user).json();
        const auto here = segments_in(survey, [](const QJsonObject& segment) {
            return segment["namespace"].isNull() && segment["kind"].toString() == "posix";
        });
        QVERIFY(!here.isEmpty());
        for (const auto& segment : here)
            QVERIFY2(QStringList({"ours", "in_use"}).contains(segment["verdict"].toString()),
                     qPrintable(evidence_of(segment)));
        const auto clean =
            looker_.run({"host", "clean", "--shm-path", place, "--dry-run", "--json"}, kLater, user)
                .json();
        for (const auto& item : clean["items"].toArray())
            QVERIFY(!item.toObject()["segment"].toObject()["namespace"].isNull() ||
                    item.toObject()["segment"].toObject()["kind"].toString() != "posix");
    }
}

void HostTable::what_is_held_stays_whatever_is_said_data() {
    QTest::addColumn<QString>("through");
    QTest::addColumn<bool>("known");
    QTest::newRow("an administrator") << QString() << true;
    QTest::newRow("in a container as usual") << "setpriv --bounding-set=-lease" << true;
    QTest::newRow("without a way to a lease") << "setpriv --bounding-set=-lease,-setuid" << false;
}

// As long as the kernel is to be asked it is known to be in use.
void HostTable::what_is_held_stays_whatever_is_said() {
    QFETCH(QString, through);
    QFETCH(bool, known);
    const auto names = living_segments(true);
    const auto done = looker_.run(
        QStringList{"host", "clean", "--force", "--yes", "--json"} + names, kLater, 0, {}, through);
    const auto items = done.json()["items"].toArray();
    QVERIFY2(items.size() == names.size(), qPrintable(done.err));
    for (const auto& value : items) {
        const auto item = value.toObject();
        const auto why = item["name"].toString() + ": " + item["reason"].toString();
        QVERIFY2(!item["removed"].toBool() && !item["removable"].toBool(), qPrintable(why));
        if (known) QVERIFY2(item["code"].toString() == "in_use", qPrintable(why));
    }
}

void HostTable::cleaning_takes_what_is_certain() {
    const View before(looker_, kLater, 0);
    const auto done = looker_.run({"host", "clean", "--yes", "--json"}, kLater).json();
    QVERIFY(done["removed"].toInt() > 0);
    const View after(looker_, kLater, 0);
    for (const auto& dead : dead_)
        for (const auto& actor : {dead.of_user.get(), dead.of_root.get()})
            for (const auto& name : actor->segments())
                QCOMPARE(after.of(name).verdict == "gone",
                         before.of(name).offered || before.of(name).verdict == "gone");
}

void HostTable::cleaning_leaves_what_is_living() {
    const View before(looker_, kLater, 0);
    (void)looker_.run({"host", "clean", "--yes", "--json"}, kLater);
    const View after(looker_, kLater, 0);
    for (const auto& name : living_segments())
        QVERIFY2(after.of(name).verdict != "gone", qPrintable(name + before.evidence(name)));
}

int main(int count, char** words) {
    const bool own = enter_own_ground();
    HostTable test;
    if (!own) {
        std::puts("SKIP: needs root and namespaces of its own");
        return 0;
    }
    return QTest::qExec(&test, count, words);
}

#include "tst_host_table.moc"
