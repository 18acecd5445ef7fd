// SPDX-License-Identifier: GPL-3.0-or-later
// Names are bytes that anyone chooses: they are never markup, never turn the text around them,
// never reach a shell or a spreadsheet as anything but themselves.
#include <QAbstractItemView>
#include <QProcess>
#include <QTemporaryDir>
#include <QTextDocument>
#include <QToolButton>
#include <QWindow>

#include "patience.h"
#include "rich_fixture.h"
#include "ui/dialogs/acknowledge_dialog.h"
#include "ui/dialogs/alert_rule_dialog.h"
#include "ui/dialogs/cleanup_dialog.h"
#include "ui/dialogs/deallocate_dialog.h"
#include "ui/dialogs/host_clean_dialog.h"
#include "ui/dialogs/policy_dialog.h"
#include "ui/dialogs/silence_dialog.h"
#include "ui/graphs/time_plot.h"
#include "ui/models/export.h"
#include "ui/models/region_columns.h"
#include "ui/models/region_table_model.h"
#include "ui/models/settings.h"
#include "ui/models/visible_text.h"
#include "ui/pages/region_table.h"
#include "ui/pages/regions_page.h"
#include "ui/pages/save_file.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

// Markup, a mark that turns the writing, a control sequence, a line end and an ampersand.
const std::string kHostile = "x_<h1>big</h1><img src=a.png>\xE2\x80\xAEgnp\x1b[31m\n&q";

bool is_visible(const QString& text) {
    return visible_lines(text) == text;
}

bool is_plain_tip(const QString& tip) {
    return !Qt::mightBeRichText(tip) ||
           tip.startsWith(QStringLiteral("<p style='white-space:pre'>"));
}

QString about(const QObject* object, const QString& text) {
    return QStringLiteral("%1 \"%2\": %3")
        .arg(QLatin1String(object->metaObject()->className()), object->objectName(), text);
}

void check_label(const QLabel& label) {
    if (label.text().isEmpty()) return;
    QVERIFY2(label.textFormat() != Qt::AutoText, qPrintable(about(&label, label.text())));
    QVERIFY2(is_visible(label.text()), qPrintable(about(&label, label.text())));
    if (label.textFormat() == Qt::RichText)
        QVERIFY2(!label.text().contains(QStringLiteral("<h1>")) &&
                     !label.text().contains(QStringLiteral("<img")),
                 qPrintable(about(&label, label.text())));
}

void check_model(const QAbstractItemView& view) {
    const auto* model = view.model();
    for (int row = 0; model && row < std::min(model->rowCount(), 60); ++row)
        for (int column = 0; column < model->columnCount(); ++column) {
            const auto index = model->index(row, column);
            QVERIFY2(visible_text(index.data().toString()) == index.data().toString(),
                     qPrintable(about(&view, index.data().toString())));
            const auto tip = index.data(Qt::ToolTipRole).toString();
            QVERIFY2(is_plain_tip(tip), qPrintable(about(&view, tip)));
        }
}

void check_everything(QWidget& root) {
    for (const auto* label : root.findChildren<QLabel*>()) check_label(*label);
    for (const auto* view : root.findChildren<QAbstractItemView*>()) check_model(*view);
    for (const auto* widget : root.findChildren<QWidget*>())
        QVERIFY2(is_plain_tip(widget->toolTip()), qPrintable(about(widget, widget->toolTip())));
}

std::vector<Alert> hostile_alerts() {
    auto alerts = make_alerts(now());
    for (auto& alert : alerts) {
        alert.title = alert.subject = alert.evidence = alert.remedy = kHostile;
        alert.acknowledgement = kHostile;
        if (!alert.acknowledged_by.empty()) alert.acknowledged_by = kHostile;
    }
    return alerts;
}

HostSurvey hostile_survey() {
    auto survey = make_survey(40);
    int number = 0;
    for (auto& segment : survey.segments) {
        segment.name = segment.label = kHostile + std::to_string(number++);
        segment.program = segment.user = segment.container = segment.advice = kHostile;
        segment.evidence = {kHostile};
        segment.creator.program = kHostile;
        for (auto& user : segment.users) user.program = kHostile;
    }
    survey.limits = {kHostile};
    return survey;
}

struct HostileFixture : RichFixture {
    HostileFixture() : RichFixture(40, hostile_alerts()) {
        world.rename(kHostile);
        survey->set_survey(hostile_survey());
        auto report = advice();
        for (auto& one : report.advice) one.advice = one.evidence = kHostile;
        for (auto* tenants : {&report.users, &report.sessions, &report.workers})
            for (auto& tenant : *tenants) tenant.name = kHostile;
        monitoring->report = report;
        QSignalSpy ticks(&workspace, &Workspace::ticked);
        while (ticks.count() < 3) ticks.wait(5000);
    }
};

}  // namespace

class TestVisibleText : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() {
        set_remembering(false);
        Theme::instance().apply(ThemeChoice::light);
    }

    void no_name_is_markup_on_any_page() {
        HostileFixture fixture;
        fixture.window.show_page(QStringLiteral("regions"));
        fixture.window.findChild<RegionsPage*>()->table().selectRow(1);
        for (const auto& page : MainWindow::page_names()) {
            fixture.window.show_page(page);
            QSignalSpy seconds(&fixture.workspace, &Workspace::second_passed);
            QVERIFY(seconds.wait(60'000));
            for (auto* table : fixture.window.findChildren<TableView*>())
                if (table->isVisible() && table->model()->rowCount() > 0) table->selectRow(0);
            QTest::qWait(200);
            keep(fixture.window, QStringLiteral("hostile-") + page);
            check_everything(fixture.window);
            if (QTest::currentTestFailed()) return;
        }
    }

    void no_name_is_markup_in_any_dialog() {
        HostileFixture fixture;
        const auto region = fixture.world.rows().front().info;
        auto rule = make_rules().front();
        rule.title = rule.remedy = kHostile;
        std::vector<TaskDialog*> dialogs{
            new DeallocateDialog(fixture.workspace, {{region, true}}, &fixture.window),
            new CleanupDialog(fixture.workspace, CleanupDialog::Scope::orphans, &fixture.window),
            new HostCleanDialog(fixture.workspace, {kHostile + "0"}, &fixture.window),
            new AcknowledgeDialog(fixture.workspace, hostile_alerts(), &fixture.window),
            new SilenceDialog(fixture.workspace, hostile_alerts().front(), &fixture.window),
            new AlertRuleDialog(fixture.workspace, rule, &fixture.window),
            new PolicyDialog(fixture.workspace, region.id, &fixture.window),
        };
        for (auto* dialog : dialogs) {
            dialog->show();
            QTest::qWait(400);
            check_everything(*dialog);
            QVERIFY2(dialog->width() <= 1200, qPrintable(dialog->windowTitle()));
            if (QTest::currentTestFailed()) return;
            dialog->close();
        }
    }

    void a_long_name_does_not_widen_its_dialog() {
        RichFixture fixture;
        const std::string name(255, 'n');
        auto alert = make_alerts(now()).front();
        alert.subject = alert.title = name;
        HostCleanDialog clean(fixture.workspace, {name}, &fixture.window);
        SilenceDialog silence(fixture.workspace, alert, &fixture.window);
        for (auto* dialog : std::initializer_list<TaskDialog*>{&clean, &silence}) {
            dialog->setAttribute(Qt::WA_DeleteOnClose, false);
            dialog->show();
            QTest::qWait(50);
            QVERIFY2(dialog->width() <= 1100,
                     qPrintable(
                         QStringLiteral("%1: %2").arg(dialog->windowTitle()).arg(dialog->width())));
        }
    }

    void harmful_characters_are_seen() {
        QCOMPARE(visible_text(QStringLiteral("a\nb\x1b\u202e"
                                             "c")),
                 QStringLiteral("a\ufffdb\ufffd\ufffdc"));
        QCOMPARE(visible_lines(QStringLiteral("a\nb\tc")), QStringLiteral("a\nb\ufffdc"));
        QCOMPARE(visible_text(QStringLiteral("naïve 日本語 😀")), QStringLiteral("naïve 日本語 😀"));
        const auto id = QStringLiteral("shm_1700000000000000_0123456789abcdef");
        QCOMPARE(breakable(id), id);
        const QString long_word(100, u'w');
        QVERIFY(breakable(long_word).size() > long_word.size());
        QCOMPARE(unbroken(breakable(long_word)), long_word);
        for (const auto& line : tooltip_text(QString(300, u'w')).split(u'\n'))
            QVERIFY(line.size() <= 100);
    }

    void a_shell_reads_exactly_the_bytes_data() {
        QTest::addColumn<QByteArray>("name");
        QTest::newRow("plain") << QByteArray("psm_1a2b");
        QTest::newRow("spaces and quotes") << QByteArray("it's \"a\" $HOME `id`");
        QTest::newRow("not UTF-8") << QByteArray(
            "a\xff\xfe"
            "b");
        QTest::newRow("turned") << QByteArray("x_\xE2\x80\xAEgnp.exe");
        QTest::newRow("control") << QByteArray("a\nb\x1b[31m\\c'd");
        QTest::newRow("an accent") << QByteArray("na\xC3\xAFve");
        QTest::newRow("empty") << QByteArray();
    }

    void a_shell_reads_exactly_the_bytes() {
        QFETCH(QByteArray, name);
        const auto word = shell_word(std::string_view(name.constData(), name.size()));
        QVERIFY(is_visible(word) && !word.contains(u'\n'));
        QProcess bash;
        bash.start(QStringLiteral("bash"), {QStringLiteral("-c"), u"printf %s "_s + word});
        QVERIFY(bash.waitForFinished(30000));
        QCOMPARE(bash.readAllStandardOutput(), name);
    }

    void every_shortcut_that_is_advertised_works() {
        RichFixture fixture;
        PolicyDialog policy(fixture.workspace, fixture.world.rows().front().info.id,
                            &fixture.window);
        policy.setAttribute(Qt::WA_DeleteOnClose, false);
        static const QRegularExpression advertised(QStringLiteral(R"(\(((?:Ctrl|Alt)\+\w|F\d)\))"));
        int seen = 0;
        for (auto* root : std::initializer_list<QWidget*>{&fixture.window, &policy})
            for (auto* one : root->findChildren<QAbstractButton*>()) {
                const auto match = advertised.match(one->toolTip());
                if (!match.hasMatch()) continue;
                ++seen;
                QVERIFY2(one->shortcut() == QKeySequence(match.captured(1)),
                         qPrintable(one->toolTip()));
            }
        QVERIFY2(seen >= 15, qPrintable(QString::number(seen)));
    }

    void a_shortcut_of_the_shown_page_presses_its_button() {
        RichFixture fixture;
        fixture.window.show_page(QStringLiteral("events"));
        QVERIFY(QTest::qWaitForWindowActive(&fixture.window));
        for (const auto& [key, words] :
             {std::pair(Qt::Key_U, "Refusals, audited"), std::pair(Qt::Key_L, "Follow: show")}) {
            QToolButton* tool = nullptr;
            for (auto* one : fixture.window.findChildren<QToolButton*>())
                if (one->toolTip().startsWith(QLatin1String(words))) tool = one;
            QVERIFY(tool);
            const bool before = tool->isChecked();
            QTest::keyClick(fixture.window.windowHandle(), key, Qt::ControlModifier);
            QTRY_COMPARE_WITH_TIMEOUT(tool->isChecked(), !before, kPatienceMs);
        }
    }

    void a_spreadsheet_runs_no_cell() {
        RegionStore store;
        RegionTableModel model(store);
        std::mt19937_64 random(9);
        RegistryDelta delta;
        delta.changed.push_back(make_region(random, 0, 1));
        delta.changed.front().info.metadata = "=cmd|' /C calc'!A0";
        store.apply(std::move(delta), 1);
        const auto csv = to_csv(model, {0}, {kColumnMetadata});
        QVERIFY2(csv.contains(QStringLiteral("\"'=cmd")), qPrintable(csv));
    }

    void the_type_of_an_export_is_what_was_chosen() {
        const QTemporaryDir place;
        const QList<FileType> types{{"CSV", "csv"}, {"JSON", "json"}};
        const auto name = place.filePath(QStringLiteral("regions"));
        auto file = chosen_file(name, types[1].filter(), types);
        QCOMPARE(file.suffix, QStringLiteral("json"));
        QCOMPARE(file.path, name + QStringLiteral(".json"));
        QVERIFY(!file.replace);
        file = chosen_file(name + QStringLiteral(".JSON"), types[0].filter(), types);
        QCOMPARE(file.suffix, QStringLiteral("json"));
        file = chosen_file(name + QStringLiteral(".txt"), types[1].filter(), types);
        QCOMPARE(file.suffix, QStringLiteral("json"));
        QCOMPARE(file.path, name + QStringLiteral(".txt"));
        QFile there(name + QStringLiteral(".csv"));
        QVERIFY(there.open(QIODevice::WriteOnly));
        QVERIFY(chosen_file(there.fileName(), types[0].filter(), types).replace);
        // The dialog has asked about another name.
        QVERIFY(!chosen_file(name, types[0].filter(), types).replace);
    }

    void another_day_is_named() {
        const Timestamp before{now().micros - 3 * 86'400'000'000LL};
        const auto day = QDateTime::fromMSecsSinceEpoch(before.micros / 1000)
                             .date()
                             .toString(QStringLiteral("yyyy-MM-dd"));
        for (const auto& text : {clock_text(before), short_clock_text(before)})
            QVERIFY2(text.startsWith(day + u' ') && text.size() >= 16, qPrintable(text));
        QVERIFY(clock_text(before).contains(u'.'));  // to the millisecond
    }

    void a_graph_says_nothing_of_what_is_not_known() {
        TimePlot plot;
        const int line = plot.add_line(QStringLiteral("used"), TimePlot::Shape::line);
        plot.set_points(line, {100, 101, 102, 102.5, 140, 141},
                        {1, 2, 3, std::numeric_limits<double>::quiet_NaN(), 7, 8});
        QVERIFY(!plot.value_at(line, 99));
        QCOMPARE(plot.value_at(line, 101.5), std::optional(2.0));
        QVERIFY(!plot.value_at(line, 120));
        QCOMPARE(plot.value_at(line, 141.5), std::optional(8.0));
        QVERIFY(!plot.value_at(line, 141 + TimePlot::kLongestPause + 1));
    }
};

}  // namespace snakepit::shm::ui

QTEST_MAIN(snakepit::shm::ui::TestVisibleText)
#include "tst_visible_text.moc"
