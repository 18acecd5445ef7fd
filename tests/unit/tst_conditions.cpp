// SPDX-License-Identifier: MIT
// The table of conditions, and the alerts that come of it.
#include <QtTest>
#include <set>

#include "alerts/alert_state.h"
#include "conditions/condition.h"
#include "layout/registry_layout.h"

using namespace snakepit::shm;

namespace {

constexpr std::size_t kEventText = sizeof(layout::EventEntry::text) - 1;

// An instance's rules, evaluated second by second on a file system of 100 bytes.
class Host {
  public:
    void run(std::uint64_t used, int seconds) {
        layout::Sample sample{};
        sample.recorder_writable = 1;
        sample.shm_total = 100;
        sample.shm_free = 100 - used;
        for (int i = 0; i < seconds; ++i) {
            at_.micros += 1'000'000;
            std::vector<AlertChange> changes;
            state_.evaluate(at_, sample, {}, changes);
            for (const auto& [transition, alert] : changes) {
                if (transition == AlertTransition::fired) history += "+" + alert.rule + " ";
                if (transition == AlertTransition::resolved) history += "-" + alert.rule + " ";
            }
        }
    }
    std::string history;

  private:
    AlertState state_{AlertSnapshot{}};
    Timestamp at_{1'700'000'000'000'000};
};

}  // namespace

class Conditions : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void each_has_a_name_of_its_own_a_sentence_and_a_remedy();
    void one_that_is_met_ends_at_its_resolve_threshold();
    void a_file_system_that_fills_at_once_raises_one_alert();
    void a_file_system_that_fills_slowly_has_one_alert_at_a_time();
};

void Conditions::each_has_a_name_of_its_own_a_sentence_and_a_remedy() {
    std::set<std::string_view> names;
    for (const auto& one : conditions()) {
        const std::string name(one.name);
        QVERIFY2(names.insert(one.name).second, name.c_str());
        QVERIFY2(find_condition(one.name) == &one, name.c_str());
        // The title is the text of an event.
        QVERIFY2(!one.title.empty() && one.title.size() <= kEventText, name.c_str());
        QVERIFY2(!one.remedy.empty(), name.c_str());
        QVERIFY2(one.superseded_by.empty() || condition(one.superseded_by).has_rule(),
                 name.c_str());
        // Met at its own threshold, or never.
        QVERIFY2(one.met(one.threshold) == (one.comparison == AlertComparison::at_least ||
                                            one.comparison == AlertComparison::at_most),
                 name.c_str());
    }
    QVERIFY(!find_condition("no-such"));
}

void Conditions::one_that_is_met_ends_at_its_resolve_threshold() {
    const auto& full = condition("host-shm-full");
    QVERIFY(!full.met(0.96));
    QVERIFY(full.met(0.98));
    QVERIFY(full.met(0.96, true));
    QVERIFY(!full.met(0.95, true));
    const auto& disk = condition("state-space-full");
    QVERIFY(disk.met(1e6) && !disk.met(1e8) && !disk.met(1e8, true));
}

void Conditions::a_file_system_that_fills_at_once_raises_one_alert() {
    Host host;
    host.run(50, 5);
    host.run(100, 60);
    QCOMPARE(host.history, std::string("+host-shm-full "));
    host.run(50, 60);
    QCOMPARE(host.history, std::string("+host-shm-full -host-shm-full "));
}

void Conditions::a_file_system_that_fills_slowly_has_one_alert_at_a_time() {
    Host host;
    host.run(92, 9);
    QCOMPARE(host.history, std::string());
    host.run(92, 10);
    QCOMPARE(host.history, std::string("+host-shm-high "));
    host.run(99, 60);
    QCOMPARE(host.history, std::string("+host-shm-high +host-shm-full -host-shm-high "));
    host.history.clear();
    host.run(92, 60);
    QCOMPARE(host.history, std::string("-host-shm-full +host-shm-high "));
}

QTEST_GUILESS_MAIN(Conditions)
#include "tst_conditions.moc"
