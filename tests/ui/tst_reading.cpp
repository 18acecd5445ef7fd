// SPDX-License-Identifier: GPL-3.0-or-later
// What people need to see and hear: colours that differ, a mark where the focus is, names and
// values for screen readers, windows and dialogs that fit the screen.
#include <QAccessible>
#include <QFile>
#include <QHeaderView>
#include <QRegularExpression>
#include <QSettings>
#include <QTemporaryDir>
#include <QToolButton>
#include <cmath>

#include "patience.h"
#include "rich_fixture.h"
#include "ui/dialogs/acknowledge_dialog.h"
#include "ui/dialogs/alert_rule_dialog.h"
#include "ui/dialogs/audit_dialog.h"
#include "ui/dialogs/cleanup_dialog.h"
#include "ui/dialogs/host_clean_dialog.h"
#include "ui/dialogs/policy_dialog.h"
#include "ui/dialogs/report_dialog.h"
#include "ui/graphs/time_plot.h"
#include "ui/models/commands.h"
#include "ui/models/region_columns.h"
#include "ui/models/settings.h"
#include "ui/navigation_button.h"
#include "ui/pages/region_table.h"
#include "ui/pages/regions_page.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

constexpr double kReadable = 4.5;  // to one

double luminance(const QColor& colour) {
    const auto part = [](double value) {
        return value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
    };
    return 0.2126 * part(colour.redF()) + 0.7152 * part(colour.greenF()) +
           0.0722 * part(colour.blueF());
}

double contrast(const QColor& a, const QColor& b) {
    const auto x = luminance(a), y = luminance(b);
    return (std::max(x, y) + 0.05) / (std::min(x, y) + 0.05);
}

void check_contrast(const char* what, const QColor& text, const QColor& ground) {
    const auto is = contrast(text, ground);
    QVERIFY2(is >= kReadable, qPrintable(QStringLiteral("%1: %2 on %3 is %4")
                                             .arg(QLatin1String(what), text.name(), ground.name())
                                             .arg(is)));
}

bool is_spoken(const QWidget& widget) {
    return !widget.accessibleName().isEmpty() || !widget.toolTip().isEmpty();
}

}  // namespace

class TestReading : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() {
        set_remembering(false);
        Theme::instance().apply(ThemeChoice::light);
    }

    void every_text_differs_from_its_ground_data() {
        QTest::addColumn<QString>("theme");
        QTest::newRow("light") << QStringLiteral("light");
        QTest::newRow("dark") << QStringLiteral("dark");
    }

    void every_text_differs_from_its_ground() {
        QFETCH(QString, theme);
        Theme::instance().apply(*parse_theme(theme));
        const auto& p = colours();
        for (const auto& ground : {p.window, p.sidebar, p.surface, p.raised, p.selection, p.hover})
            for (const auto& text : {p.text, p.muted, p.faint, p.accent})
                check_contrast("text", text, ground);
        for (const auto& text : {p.text, p.muted, p.accent})
            check_contrast("chosen", text, p.accent_fill);
        check_contrast("primary", p.accent_text, p.accent);
        for (std::size_t i = 0; i < p.severities.size(); ++i) {
            const auto& severity = p.severities[i];
            check_contrast("chip", severity.text, severity.fill);
            for (const auto& ground : {p.surface, p.window, p.selection})
                check_contrast("severity", severity.text, ground);
        }
        for (const auto& line : p.series) QVERIFY(contrast(line, p.surface) >= 3);
        // A new row is not taken for a selected one.
        QVERIFY(contrast(p.severity(Severity::good).text, p.selection) >= 3);
    }

    // Rules of the style sheet that set both.
    void every_rule_of_the_style_sheet_can_be_read_data() {
        every_text_differs_from_its_ground_data();
    }

    void every_rule_of_the_style_sheet_can_be_read() {
        QFETCH(QString, theme);
        Theme::instance().apply(*parse_theme(theme));
        static const QRegularExpression rule(QStringLiteral("([^{}]+)\\{([^{}]*)\\}"));
        static const QRegularExpression ground(
            QStringLiteral("(?:^|[;\\s])background: (#[0-9a-f]{6})"));
        static const QRegularExpression text(QStringLiteral("(?:^|[;\\s])color: (#[0-9a-f]{6})"));
        int pairs = 0;
        for (auto it = rule.globalMatch(qApp->styleSheet()); it.hasNext();) {
            const auto match = it.next();
            const auto back = ground.match(match.captured(2)), fore = text.match(match.captured(2));
            if (!back.hasMatch() || !fore.hasMatch()) continue;
            ++pairs;
            check_contrast(qPrintable(match.captured(1).trimmed()), QColor(fore.captured(1)),
                           QColor(back.captured(1)));
        }
        QVERIFY(pairs >= 8);
    }

    void what_can_be_pressed_has_a_name() {
        RichFixture fixture;
        for (const auto& page : MainWindow::page_names()) {
            fixture.window.show_page(page);
            QTest::qWait(20);
        }
        for (auto* one : fixture.window.findChildren<QAbstractButton*>())
            // Qt's own in the corner of a table: hidden with the row numbers.
            if (!one->inherits("QTableCornerButton"))
                QVERIFY2(is_spoken(*one) || !one->text().isEmpty(), one->metaObject()->className());
        for (auto* one : fixture.window.findChildren<QLineEdit*>())
            QVERIFY(!one->accessibleName().isEmpty() || one->isReadOnly());
        for (auto* one : fixture.window.findChildren<QTableView*>())
            QVERIFY(!one->accessibleName().isEmpty());
        for (auto* one : fixture.window.findChildren<QWidget*>())
            if (one->isVisible() && one->focusPolicy() & Qt::TabFocus) {
                auto* spoken = QAccessible::queryAccessibleInterface(one);
                QVERIFY2(spoken && (!spoken->text(QAccessible::Name).isEmpty() ||
                                    !spoken->text(QAccessible::Value).isEmpty() || is_spoken(*one)),
                         one->metaObject()->className());
            }
    }

    void figures_and_plots_are_spoken_with_their_values() {
        RichFixture fixture;
        fixture.window.show_page(QStringLiteral("dashboard"));
        QTest::qWait(300);
        bool regions = false;
        for (auto* label : fixture.window.findChildren<QLabel*>())
            regions |= label->accessibleName().startsWith(QStringLiteral("Regions: 2"));
        QVERIFY(regions);
        TimePlot* plot = nullptr;
        for (auto* one : fixture.window.findChildren<TimePlot*>())
            if (one->isVisible()) plot = one;
        QVERIFY(plot);
        QCOMPARE(plot->accessibleName(), QStringLiteral("Memory over time"));
        QTRY_VERIFY2_WITH_TIMEOUT(
            plot->accessibleDescription().contains(QStringLiteral("Used: ")) &&
                plot->accessibleDescription().contains(QStringLiteral("between")),
            qPrintable(plot->accessibleDescription()), kPatienceMs);
    }

    void a_page_is_one_of_several() {
        RichFixture fixture;
        for (auto* one : fixture.window.findChildren<NavigationButton*>())
            QCOMPARE(QAccessible::queryAccessibleInterface(one)->role(), QAccessible::PageTab);
    }

    void the_current_cell_is_marked() {
        RichFixture fixture;
        fixture.window.show_page(QStringLiteral("regions"));
        QVERIFY(QTest::qWaitForWindowActive(&fixture.window));
        auto& table = fixture.window.findChild<RegionsPage*>()->table();
        table.setFocus();
        table.setCurrentIndex(table.model()->index(2, table.shown_columns()[1]));
        QCoreApplication::processEvents();
        const auto picture = table.viewport()->grab().toImage();
        const auto cell = table.visualRect(table.currentIndex());
        QCOMPARE(picture.pixelColor(cell.left(), cell.center().y()), colours().accent);
    }

    void a_new_row_is_marked_at_its_edge_and_not_as_selected() {
        RichFixture fixture;
        fixture.window.show_page(QStringLiteral("regions"));
        auto& table = fixture.window.findChild<RegionsPage*>()->table();
        const auto is_new = [&table] {
            for (int row = 0; row < table.model()->rowCount(); ++row)
                if (table.model()->index(row, 0).data(kNewRole).toBool()) return row;
            return -1;
        };
        QTRY_VERIFY_WITH_TIMEOUT(is_new() >= 0, kPatienceMs);
        table.scrollTo(table.model()->index(is_new(), kColumnId));
        const auto picture = table.viewport()->grab().toImage();
        const int row = is_new();
        if (row < 0) QSKIP("it was new for too short on this machine");
        const auto edge = table.visualRect(table.model()->index(row, kColumnId));
        QCOMPARE(picture.pixelColor(edge.left() + 1, edge.center().y()),
                 colours().severity(Severity::good).text);
        QCOMPARE(picture.pixelColor(edge.left() + 5, edge.top() + 3), colours().surface);
    }

    void the_sidebar_folds_where_the_window_is_narrow() {
        RichFixture fixture;
        auto* sidebar = fixture.window.findChild<QFrame*>(QStringLiteral("sidebar"));
        QVERIFY(sidebar->width() > 150);
        fixture.window.resize(1024, 700);
        QCoreApplication::processEvents();
        QVERIFY(sidebar->width() < 80);
        for (auto* one : fixture.window.findChildren<NavigationButton*>())
            QVERIFY(!one->accessibleName().isEmpty());
        fixture.window.resize(1440, 900);
        QCoreApplication::processEvents();
        QVERIFY(sidebar->width() > 150);
    }

    // The offscreen platform's screen is 800x800.
    void every_dialog_fits_the_screen() {
        RichFixture fixture;
        const auto room = fixture.window.screen()->availableSize();
        const auto region = fixture.world.rows().front().info;
        std::vector<TaskDialog*> dialogs{
            new CleanupDialog(fixture.workspace, CleanupDialog::Scope::orphans, &fixture.window),
            new HostCleanDialog(fixture.workspace, {}, &fixture.window),
            new AcknowledgeDialog(fixture.workspace, make_alerts(now()), &fixture.window),
            new AlertRuleDialog(fixture.workspace, make_rules().front(), &fixture.window),
            new PolicyDialog(fixture.workspace, region.id, &fixture.window),
            new AuditDialog(fixture.workspace, &fixture.window),
            new ReportDialog(fixture.workspace, {}, &fixture.window),
        };
        for (auto* dialog : dialogs) {
            dialog->show();
            QTest::qWait(200);
            QVERIFY2(dialog->width() <= room.width() && dialog->height() <= room.height(),
                     qPrintable(QStringLiteral("%1: %2x%3")
                                    .arg(dialog->windowTitle())
                                    .arg(dialog->width())
                                    .arg(dialog->height())));
            QVERIFY2(dialog->minimumSizeHint().height() <= 400, qPrintable(dialog->windowTitle()));
            dialog->close();
        }
    }

    void the_width_of_the_last_column_is_not_remembered() {
        const QTemporaryDir place;
        QSettings::setPath(QSettings::NativeFormat, QSettings::UserScope, place.path());
        set_remembering(true);
        forget_layout();
        const auto widths = [](int window) {
            RegionStore store;
            RegionTableModel model(store);
            TableView table(QStringLiteral("test"));
            table.setModel(&model);
            table.set_default_columns({kColumnId, kColumnSize}, {100, 60});
            table.restore_layout();
            table.resize(window, 200);
            table.show();
            QCoreApplication::processEvents();
            table.horizontalHeader()->resizeSection(kColumnId, 120);
            return std::pair(table.columnWidth(kColumnId), table.columnWidth(kColumnSize));
        };
        const auto wide = widths(900), narrow = widths(300);
        set_remembering(false);
        QVERIFY(wide.second > 600);
        QCOMPARE(narrow.first, 120);
        QVERIFY2(narrow.second < 200, qPrintable(QString::number(narrow.second)));
    }

    void a_plot_zooms_between_seconds_and_all_there_is() {
        TimePlot plot;
        const int line = plot.add_line(QStringLiteral("used"), TimePlot::Shape::line);
        QVector<double> times, values;
        for (int i = 0; i <= 600; ++i) times << 1000 + i, values << i;
        plot.set_points(line, times, values);
        plot.refresh(1600);
        plot.xAxis->setRange(1300, 1300.01);
        QVERIFY(plot.xAxis->range().size() >= TimePlot::kShortestView - 1e-6);
        plot.xAxis->setRange(-1e9, 1e9);
        QVERIFY(plot.xAxis->range().lower >= 1000 - 1e-6);
        QVERIFY(plot.xAxis->range().upper <= 1600 + 1e-6);
    }

    void advice_names_the_instance() {
        set_command_instance(QStringLiteral("team"));
        QCOMPARE(with_instance(QStringLiteral("'snakepit-shm cleanup --orphans' removes them")),
                 QStringLiteral("'snakepit-shm --instance team cleanup --orphans' removes them"));
        QCOMPARE(with_instance(QStringLiteral("'snakepit-shm host' lists what uses it")),
                 QStringLiteral("'snakepit-shm host' lists what uses it"));
        set_command_instance(QStringLiteral("default"));
        QCOMPARE(with_instance(QStringLiteral("'snakepit-shm health' names them")),
                 QStringLiteral("'snakepit-shm health' names them"));
    }

    void unsaved_changes_are_not_lost_without_a_word() {
        RichFixture fixture;
        AlertRuleDialog dialog(fixture.workspace, make_rules().front(), &fixture.window);
        dialog.setAttribute(Qt::WA_DeleteOnClose, false);
        dialog.show();
        named<QLineEdit>(dialog, QStringLiteral("Limit"))->setText(QStringLiteral("95 %"));
        QTest::keyClick(&dialog, Qt::Key_Escape);
        QVERIFY(dialog.isVisible() && says(dialog, QStringLiteral("unsaved changes")));
        QTest::keyClick(&dialog, Qt::Key_Escape);
        QVERIFY(!dialog.isVisible());
    }
};

}  // namespace snakepit::shm::ui

QTEST_MAIN(snakepit::shm::ui::TestReading)
#include "tst_reading.moc"
