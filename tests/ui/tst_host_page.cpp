// SPDX-License-Identifier: GPL-3.0-or-later
// The host as people see it and clean it up.
#include <QTableWidget>
#include <QTemporaryDir>

#include "patience.h"
#include "rich_fixture.h"
#include "ui/dialogs/host_clean_dialog.h"
#include "ui/graphs/host_graph.h"
#include "ui/graphs/time_plot.h"
#include "ui/models/live_survey.h"
#include "ui/models/settings.h"
#include "ui/pages/choice_row.h"
#include "ui/pages/host_page.h"

namespace snakepit::shm::ui {

class TestHostPage : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { set_remembering(false); }

    void cleaning_the_host_runs_exactly_the_plan_it_showed() {
        RichFixture fixture;
        HostCleanDialog dialog(fixture.workspace, {}, &fixture.window);
        dialog.setAttribute(Qt::WA_DeleteOnClose, false);
        dialog.show();
        QSignalSpy rehearsed(&dialog, &HostCleanDialog::rehearsed);
        QVERIFY(rehearsed.wait(60'000));
        keep(dialog, QStringLiteral("host-clean-plan"));
        QCOMPARE(command_of(dialog), QStringLiteral("snakepit-shm host clean"));
        auto* table = dialog.findChild<QTableWidget*>();
        std::vector<std::string> planned;
        for (int row = 0; row < table->rowCount(); ++row)
            if (table->item(row, 3)->text() == QStringLiteral("remove"))
                planned.push_back(table->item(row, 0)->text().toStdString());
        QVERIFY(planned.size() > 2);
        // Between the rehearsal and the run somebody comes, and one goes and another takes its
        // name.
        fixture.survey->use(planned[0]);
        fixture.survey->exchange(planned[1]);
        QSignalSpy finished(&dialog, &HostCleanDialog::finished_run);
        for (auto* one : dialog.findChildren<QPushButton*>())
            if (one->property("danger").toBool()) one->click(), one->click();
        QVERIFY(finished.wait(60'000));
        QCOMPARE(fixture.survey->rehearsals(), std::vector<std::vector<std::string>>{{}});
        QCOMPARE(fixture.survey->runs(), std::vector<std::vector<std::string>>{planned});
        QCOMPARE(table->item(0, 3)->text(), QStringLiteral("kept"));
        QVERIFY(table->item(0, 5)->text().contains(QStringLiteral("latecomer")));
        QCOMPARE(table->item(1, 3)->text(), QStringLiteral("kept"));
        QVERIFY(table->item(1, 5)->text().contains(QStringLiteral("another has its name")));
        QVERIFY(says(dialog, QStringLiteral("2 kept")));
        keep(dialog, QStringLiteral("host-clean-done"));
    }

    void what_is_selected_is_offered_first_and_what_is_in_use_is_refused() {
        RichFixture fixture;
        const auto survey = fixture.survey->survey();
        std::vector<std::string> names;
        for (const auto& segment : survey->segments)
            if (segment.program == "PostgreSQL") names.push_back(segment.name);
        HostCleanDialog dialog(fixture.workspace, names, &fixture.window);
        dialog.setAttribute(Qt::WA_DeleteOnClose, false);
        dialog.show();
        QSignalSpy rehearsed(&dialog, &HostCleanDialog::rehearsed);
        QVERIFY(rehearsed.wait(60'000));
        QVERIFY(says(dialog, QStringLiteral("None of these segments can be removed")));
        for (auto* one : dialog.findChildren<QPushButton*>())
            if (one->property("danger").toBool()) QVERIFY(!one->isEnabled());
    }

    void the_host_is_looked_at_again_and_again_only_while_it_is_seen() {
        RichFixture fixture;
        fixture.host();
        QCOMPARE(fixture.survey->surveys(), 1);
        QTRY_COMPARE_WITH_TIMEOUT(fixture.survey->surveys(), 2, kPatienceMs);
        fixture.window.show_page(QStringLiteral("memory"));
        QTest::qWait(6500);
        QVERIFY(fixture.survey->surveys() <= 2);
    }

    void what_a_new_manager_has_not_recorded_yet_is_not_an_error() {
        const QTemporaryDir directory;
        const auto file = directory.filePath(QStringLiteral("host_history.db"));
        const auto history = [&] {
            LiveSurvey host(file.toStdString());
            return host.history(kTotalsBy[0], {0}, now(), 100, 5);
        };
        QVERIFY(history() && history()->empty());
        QFile damaged(file);
        QVERIFY(damaged.open(QIODevice::WriteOnly) && damaged.write("no database") > 0);
        damaged.close();
        QVERIFY(!history());
    }

    void what_was_there_before_is_drawn_by_program_user_or_group() {
        RichFixture fixture;
        auto& page = fixture.host();
        auto* graph = page.findChild<HostGraph*>();
        QVERIFY(graph);
        QTRY_COMPARE_WITH_TIMEOUT(graph->plot().lines(), 2, kPatienceMs);
        QCOMPARE(graph->plot().graph(0)->name(), QStringLiteral("python3"));
        QCOMPARE(graph->plot().graph(1)->name(), QStringLiteral("others"));
        QVERIFY(graph->plot().graph(0)->dataCount() > 1000);
        keep(fixture.window, QStringLiteral("host-history"));
        auto* by = page.findChild<ChoiceRow*>();
        QVERIFY(by);
        by->choose(1);
        Q_EMIT by->chosen(1);
        QTRY_COMPARE_WITH_TIMEOUT(graph->plot().graph(0)->name(), QStringLiteral("someone"),
                                  kPatienceMs);
        // Time that was not recorded is a gap.
        HostSeries gap{"x", {{{1'000'000}, 60, 5, 0}, {{3'600'000'000}, 60, 7, 0}}};
        graph->show_series({gap}, 3700);
        QCOMPARE(graph->plot().graph(0)->dataCount(), 3);
    }
};

}  // namespace snakepit::shm::ui

QTEST_MAIN(snakepit::shm::ui::TestHostPage)
#include "tst_host_page.moc"
