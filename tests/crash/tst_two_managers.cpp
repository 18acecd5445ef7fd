// SPDX-License-Identifier: MIT
// Two managers of one instance name share a directory of segments, in every mixture of namespaces
// and users. Both are killed, stopped and started in turn; neither may lose a region.
//
// Six mixtures are chosen at random, with three restarts each. SNAKEPIT_RESTARTS is the number of
// restarts in all mixtures together; a long run needs QTEST_FUNCTION_TIMEOUT too, in milliseconds.
// SNAKEPIT_SEED is the order.
#include <QJsonArray>
#include <QRandomGenerator>
#include <QtTest>

#include <algorithm>
#include <numeric>
#include <span>
#include <vector>

#include "site.h"

using namespace snakepit::shm::test;

namespace {

constexpr Space kSpaces[] = {Space::host, Space::mount, Space::mount_and_pid};
constexpr const char* kNames[] = {"host", "mount", "mount and pid"};
constexpr int kMixtures = 18;  // 9 pairs of namespaces, with one user and with two

// A manager with regions of each kind: idle ones, durable ones, and two that a program maps.
struct Party {
    Party(const std::shared_ptr<TestHost>& host, Space space, unsigned user)
        : site(host, space, user) {}

    bool begin() {
        if (!site.start()) return false;
        for (const auto* words : {"4096", "64KiB --placement dedicated", "4096 --durable", "1MiB"})
            ids += site.allocate(words);
        held = site.allocate("8KiB --placement dedicated");
        ids += held;
        site.hold(held);
        return !ids.contains(QString());
    }
    // What is missing; empty when nothing is.
    QString missing(bool contents) {
        QStringList listed;
        for (const auto& value : site.json("list").value("regions").toArray())
            if (value.toObject().value("state").toString() == "live")
                listed += value.toObject().value("id").toString();
        for (const auto& id : ids) {
            if (!listed.contains(id)) return id + " is not live";
            if (contents && !site.whole(id)) return id + " lost its contents";
        }
        return {};
    }

    Site site;
    QStringList ids;
    QString held;
};

}  // namespace

class TwoManagers : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void no_region_is_lost_data();
    void no_region_is_lost();

  private:
    QRandomGenerator random_;
    int rounds_ = 3;
    int mixtures_ = 6;
};

void TwoManagers::initTestCase() {
    if (const auto reason = Site::missing(); !reason.isEmpty()) QSKIP(qPrintable(reason));
    bool given = false;
    const auto wanted = qEnvironmentVariableIntValue("SNAKEPIT_RESTARTS", &given);
    if (given) {
        rounds_ = std::max(1, wanted / kMixtures);
        mixtures_ = kMixtures;
    }
    auto seed = static_cast<quint32>(qEnvironmentVariableIntValue("SNAKEPIT_SEED", &given));
    if (!given) seed = QRandomGenerator::global()->generate() % 100'000;
    qInfo("SNAKEPIT_SEED=%u", seed);
    random_.seed(seed);
}

void TwoManagers::no_region_is_lost_data() {
    QTest::addColumn<int>("first");
    QTest::addColumn<int>("second");
    QTest::addColumn<bool>("two_users");
    std::vector<int> all(kMixtures);
    std::iota(all.begin(), all.end(), 0);
    std::shuffle(all.begin(), all.end(), random_);
    for (const int mixture : std::span(all).first(static_cast<std::size_t>(mixtures_))) {
        const int first = mixture % 3, second = mixture / 3 % 3;
        const bool two_users = mixture >= 9;
        QTest::addRow("%s beside %s, %s", kNames[first], kNames[second],
                      two_users ? "two users" : "one user")
            << first << second << two_users;
    }
}

void TwoManagers::no_region_is_lost() {
    QFETCH(int, first);
    QFETCH(int, second);
    QFETCH(bool, two_users);
    const auto host = std::make_shared<TestHost>();
    Party left(host, kSpaces[first], 0), right(host, kSpaces[second], two_users ? 1501 : 0);
    QVERIFY(left.begin());
    QVERIFY(right.begin());
    for (int round = 0; round < rounds_; ++round) {
        const bool orderly = random_.bounded(4) == 0, both = random_.bounded(3) == 0;
        auto& party = random_.bounded(2) == 0 ? left : right;
        auto& other = &party == &left ? right : left;
        if (both) random_.bounded(2) == 0 ? (void)other.site.kill() : (void)other.site.stop();
        QVERIFY(party.site.restart(orderly));
        if (both) QVERIFY(other.site.start());
        for (auto* each : {&left, &right})
            QCOMPARE(each->missing(round + 1 == rounds_ || round % 8 == 7), QString());
    }
    for (auto* each : {&left, &right}) {
        QCOMPARE(each->site.release(), 0);
        QVERIFY(!each->site.kinds().contains("leftover_removed"));
        QVERIFY(!each->site.kinds().contains("damaged"));
    }
}

QTEST_GUILESS_MAIN(TwoManagers)
#include "tst_two_managers.moc"
