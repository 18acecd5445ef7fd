// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/table_view.h"

#include <QClipboard>
#include <QContextMenuEvent>
#include <QGuiApplication>
#include <QHeaderView>
#include <QMenu>
#include <QMouseEvent>
#include <QPainter>
#include <QScrollBar>
#include <algorithm>

#include "ui/icons.h"
#include "ui/models/export.h"
#include "ui/models/format.h"
#include "ui/models/settings.h"
#include "ui/models/severity.h"
#include "ui/models/sorted_index.h"
#include "ui/pages/widgets.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kRowHeight = 32;
constexpr int kPadding = 8;
constexpr int kLeastChip = 40;  // narrower ones say nothing

constexpr int kNewBar = 3;

bool is_at_left_edge(const QWidget* widget, int column) {
    const auto* view = qobject_cast<const QTableView*>(widget);
    return view && view->columnViewportPosition(column) + view->horizontalHeader()->offset() == 0;
}

// It stays open while columns are chosen.
class ChoiceMenu final : public QMenu {
  public:
    using QMenu::QMenu;

  protected:
    void mouseReleaseEvent(QMouseEvent* event) override {
        if (!choose(actionAt(event->pos()))) QMenu::mouseReleaseEvent(event);
    }
    void keyPressEvent(QKeyEvent* event) override {
        if (event->key() != Qt::Key_Space || !choose(activeAction())) QMenu::keyPressEvent(event);
    }

  private:
    static bool choose(QAction* action) {
        if (!action || !action->isEnabled() || !action->isCheckable()) return false;
        action->trigger();
        return true;
    }
};

}  // namespace

void RowDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option,
                        const QModelIndex& index) const {
    const auto& p = colours();
    const bool selected = option.state & QStyle::State_Selected;
    const bool gone = index.data(kGoneRole).toBool();
    painter->fillRect(option.rect, selected ? p.selection : p.surface);
    if (index.data(kNewRole).toBool() && is_at_left_edge(option.widget, index.column()))
        painter->fillRect(QRect(option.rect.topLeft(), QSize(kNewBar, option.rect.height())),
                          p.severity(Severity::good).text);
    painter->fillRect(QRect(option.rect.left(), option.rect.bottom(), option.rect.width(), 1),
                      p.grid);
    if (option.state & QStyle::State_HasFocus) {
        painter->setPen(p.accent);
        painter->drawRect(option.rect.adjusted(0, 0, -1, -2));
    }

    const auto text = index.data(Qt::DisplayRole).toString();
    if (text.isEmpty()) return;
    if (const int severity = index.data(kSeverityRole).toInt();
        !gone && severity != static_cast<int>(Severity::none)) {
        auto rest = option.rect;
        rest.setLeft(paint_chip(painter, option, rest, text, severity));
        for (const auto& mark : index.data(kMarksRole).toStringList())
            if (rest.width() > kLeastChip)
                rest.setLeft(
                    paint_chip(painter, option, rest, mark, static_cast<int>(Severity::neutral)));
        return;
    }
    const bool mono = index.data(kMonospaceRole).toBool();
    auto font = mono ? Theme::instance().monospace() : option.font;
    font.setStrikeOut(gone);
    painter->setFont(font);
    painter->setPen(gone || index.data(kMutedRole).toBool() ? p.faint : p.text);
    const auto box = option.rect.adjusted(kPadding, 0, -kPadding, 0);
    const auto shown = painter->fontMetrics().elidedText(
        text, mono ? Qt::ElideMiddle : Qt::ElideRight, box.width());
    const auto alignment = index.data(Qt::TextAlignmentRole);
    painter->drawText(
        box, alignment.isValid() ? alignment.toInt() : int(Qt::AlignVCenter | Qt::AlignLeft),
        shown);
}

int RowDelegate::paint_chip(QPainter* painter, const QStyleOptionViewItem& option,
                            const QRect& rect, const QString& text, int severity) const {
    const auto& colour = colours().severity(static_cast<Severity>(severity));
    auto font = option.font;
    font.setPointSizeF(font.pointSizeF() * 0.92);
    font.setWeight(QFont::DemiBold);
    painter->setFont(font);
    const QFontMetrics metrics(font);
    const int width = std::min(metrics.horizontalAdvance(text) + 16, rect.width() - kPadding);
    const QRect chip(rect.left() + kPadding - 2, rect.center().y() - 10, width, 20);
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    // On a selected row grounds are alike.
    const bool selected = option.state & QStyle::State_Selected;
    painter->setPen(selected ? QPen(colour.text, 1) : QPen(Qt::NoPen));
    painter->setBrush(colour.fill);
    painter->drawRoundedRect(chip, 10, 10);
    painter->restore();
    painter->setPen(colour.text);
    painter->drawText(chip, Qt::AlignCenter, metrics.elidedText(text, Qt::ElideRight, width - 12));
    return chip.right();
}

QSize RowDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const {
    auto size = QStyledItemDelegate::sizeHint(option, index);
    const bool chip = index.data(kSeverityRole).toInt() != static_cast<int>(Severity::none);
    return {size.width() + (chip ? 24 : 2 * kPadding), kRowHeight};
}

TableView::TableView(const QString& settings_key, QWidget* parent)
    : QTableView(parent), settings_key_(settings_key) {
    setItemDelegate(new RowDelegate(this));
    setSelectionBehavior(QAbstractItemView::SelectRows);
    setSelectionMode(QAbstractItemView::ExtendedSelection);
    setEditTriggers(QAbstractItemView::NoEditTriggers);
    setShowGrid(false);
    setWordWrap(false);
    setTabKeyNavigation(false);
    setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
    verticalHeader()->hide();
    verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
    verticalHeader()->setDefaultSectionSize(kRowHeight);
    auto* header = horizontalHeader();
    header->setSectionsMovable(true);
    header->setHighlightSections(false);
    header->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
    header->setStretchLastSection(true);
    header->setContextMenuPolicy(Qt::CustomContextMenu);
    connect(header, &QHeaderView::customContextMenuRequested, this, [this](const QPoint& at) {
        columns_menu()->popup(horizontalHeader()->mapToGlobal(at));
    });
    connect(header, &QHeaderView::sectionMoved, this, &TableView::save_layout);
    connect(header, &QHeaderView::sectionResized, this, &TableView::save_layout);
    connect(header, &QHeaderView::sortIndicatorChanged, this, &TableView::save_layout);
}

void TableView::set_default_columns(const QList<int>& columns, const QList<int>& widths) {
    for (int column = 0; column < model()->columnCount(); ++column)
        setColumnHidden(column, !columns.contains(column));
    auto* header = horizontalHeader();
    for (int place = 0; place < columns.size(); ++place)
        header->moveSection(header->visualIndex(columns[place]), place);
    for (qsizetype i = 0; i < widths.size(); ++i) setColumnWidth(columns[i], widths[i]);
}

void TableView::set_up(QAbstractItemModel* model, const QString& accessible_name,
                       const QList<int>& columns, const QList<int>& widths, Sorting sorting) {
    setModel(model);
    set_default_columns(columns, widths);
    setAccessibleName(accessible_name);
    if (sorting == Sorting::by_columns) {
        horizontalHeader()->setSortIndicator(-1, Qt::AscendingOrder);
        setSortingEnabled(true);
    }
    restore_layout();
}

void TableView::restore_layout() {
    restore_header(settings_key_, *horizontalHeader());
    remembering_ = true;
}

void TableView::save_layout() {
    if (remembering_ && model()) save_header(settings_key_, *horizontalHeader());
}

QList<int> TableView::selected_rows() const {
    QList<int> rows;
    for (const auto& index : selectionModel()->selectedRows())
        if (!index.data(kGoneRole).toBool()) rows << index.row();
    std::sort(rows.begin(), rows.end());
    return rows;
}

QList<int> TableView::shown_columns() const {
    QList<int> columns;
    for (int visual = 0; visual < horizontalHeader()->count(); ++visual)
        if (const int column = horizontalHeader()->logicalIndex(visual); !isColumnHidden(column))
            columns << column;
    return columns;
}

QToolButton* TableView::make_columns_tool() {
    auto* tool = make_tool(u"columns"_s, tr("Columns"));
    connect(tool, &QToolButton::clicked, this,
            [this, tool] { columns_menu()->popup(tool->mapToGlobal(QPoint(0, tool->height()))); });
    return tool;
}

QMenu* TableView::columns_menu() {
    auto* menu = new ChoiceMenu(this);
    menu->setAttribute(Qt::WA_DeleteOnClose);
    for (int column = 0; column < model()->columnCount(); ++column) {
        auto* action = menu->addAction(model()->headerData(column, Qt::Horizontal).toString());
        action->setCheckable(true);
        action->setChecked(!isColumnHidden(column));
        action->setEnabled(isColumnHidden(column) || shown_columns().size() > 1);
        connect(action, &QAction::toggled, this, [this, column](bool shown) {
            setColumnHidden(column, !shown);
            save_layout();
        });
    }
    return menu;
}

void TableView::copy_cell() {
    QGuiApplication::clipboard()->setText(currentIndex().data(kExportRole).toString());
}

void TableView::copy_rows(Format format) {
    QGuiApplication::clipboard()->setText(format(*model(), selected_rows(), shown_columns()));
}

void TableView::keyPressEvent(QKeyEvent* event) {
    if (!event->matches(QKeySequence::Copy)) return QTableView::keyPressEvent(event);
    selected_rows().size() > 1 ? copy_rows(to_text) : copy_cell();
}

void TableView::hold_rows(bool held) {
    if (auto* index = qobject_cast<SortedIndex*>(model())) index->set_order_held(held);
}

void TableView::enterEvent(QEnterEvent* event) {
    hold_rows(true);
    QTableView::enterEvent(event);
}

void TableView::leaveEvent(QEvent* event) {
    hold_rows(false);
    QTableView::leaveEvent(event);
}

void TableView::scroll_by(int rows) {
    updateGeometries();
    verticalScrollBar()->setValue(verticalScrollBar()->value() + rows);
}

// What comes or goes above what is seen moves nothing, unless the beginning is seen.
void TableView::rowsInserted(const QModelIndex& parent, int start, int end) {
    const bool above = verticalScrollBar()->value() > 0 && start <= rowAt(0);
    QTableView::rowsInserted(parent, start, end);
    if (above) scroll_by(end - start + 1);
}

void TableView::rowsAboutToBeRemoved(const QModelIndex& parent, int start, int end) {
    const int above = std::min(end, rowAt(0) - 1) - start + 1;
    QTableView::rowsAboutToBeRemoved(parent, start, end);
    if (above > 0 && verticalScrollBar()->value() > 0) scroll_by(-above);
}

void TableView::contextMenuEvent(QContextMenuEvent* event) {
    if (!currentIndex().isValid()) return;
    QMenu menu(this);
    Q_EMIT about_to_show_menu(&menu);
    if (!menu.isEmpty()) menu.addSeparator();
    menu.addAction(icon(u"copy"_s), tr("Copy cell"), this, &TableView::copy_cell);
    const auto rows = static_cast<std::uint64_t>(selected_rows().size());
    menu.addAction(rows > 1 ? tr("Copy %1 rows").arg(count_text(rows)) : tr("Copy row"), this,
                   [this] { copy_rows(to_text); });
    menu.addAction(tr("Copy as CSV"), this, [this] { copy_rows(to_csv); });
    menu.addAction(tr("Copy as JSON"), this, [this] { copy_rows(to_json); });
    menu.exec(event->globalPos());
}

}  // namespace snakepit::shm::ui
