// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/table_view.h"

#include <QClipboard>
#include <QContextMenuEvent>
#include <QGuiApplication>
#include <QHeaderView>
#include <QMenu>
#include <QPainter>

#include "ui/icons.h"
#include "ui/models/export.h"
#include "ui/models/settings.h"
#include "ui/models/tone.h"
#include "ui/pages/widgets.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kRowHeight = 32;
constexpr int kPadding = 8;
constexpr int kLeastChip = 40;  // narrower ones say nothing

QColor mixed(const QColor& a, const QColor& b, double share) {
    const auto mix = [share](int x, int y) { return static_cast<int>(x + (y - x) * share); };
    return {mix(a.red(), b.red()), mix(a.green(), b.green()), mix(a.blue(), b.blue())};
}

}  // namespace

void RowDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option,
                        const QModelIndex& index) const {
    const auto& p = colours();
    const bool selected = option.state & QStyle::State_Selected;
    const double glow = index.data(kGlowRole).toDouble();
    auto back = selected ? p.selection : p.surface;
    if (!selected && glow > 0) back = mixed(back, p.glow, glow);
    painter->fillRect(option.rect, back);
    painter->fillRect(QRect(option.rect.left(), option.rect.bottom(), option.rect.width(), 1),
                      p.grid);

    const auto text = index.data(Qt::DisplayRole).toString();
    if (text.isEmpty()) return;
    if (const int tone = index.data(kToneRole).toInt(); tone != static_cast<int>(Tone::none)) {
        auto rest = option.rect;
        rest.setLeft(paint_chip(painter, option, rest, text, tone));
        for (const auto& mark : index.data(kMarksRole).toStringList())
            if (rest.width() > kLeastChip)
                rest.setLeft(
                    paint_chip(painter, option, rest, mark, static_cast<int>(Tone::neutral)));
        return;
    }
    const bool mono = index.data(kMonospaceRole).toBool();
    painter->setFont(mono ? Theme::instance().monospace() : option.font);
    painter->setPen(index.data(kMutedRole).toBool() ? p.faint : p.text);
    const auto box = option.rect.adjusted(kPadding, 0, -kPadding, 0);
    const auto shown = painter->fontMetrics().elidedText(
        text, mono ? Qt::ElideMiddle : Qt::ElideRight, box.width());
    const auto alignment = index.data(Qt::TextAlignmentRole);
    painter->drawText(
        box, alignment.isValid() ? alignment.toInt() : int(Qt::AlignVCenter | Qt::AlignLeft),
        shown);
}

int RowDelegate::paint_chip(QPainter* painter, const QStyleOptionViewItem& option,
                            const QRect& rect, const QString& text, int tone) const {
    const auto& colour = colours().tone(static_cast<Tone>(tone));
    auto font = option.font;
    font.setPointSizeF(font.pointSizeF() * 0.92);
    font.setWeight(QFont::DemiBold);
    painter->setFont(font);
    const QFontMetrics metrics(font);
    const int width = std::min(metrics.horizontalAdvance(text) + 16, rect.width() - kPadding);
    const QRect chip(rect.left() + kPadding - 2, rect.center().y() - 10, width, 20);
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    painter->setPen(Qt::NoPen);
    painter->setBrush(colour.fill);
    painter->drawRoundedRect(chip, 10, 10);
    painter->restore();
    painter->setPen(colour.text);
    painter->drawText(chip, Qt::AlignCenter, metrics.elidedText(text, Qt::ElideRight, width - 12));
    return chip.right();
}

QSize RowDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const {
    auto size = QStyledItemDelegate::sizeHint(option, index);
    const bool chip = index.data(kToneRole).toInt() != static_cast<int>(Tone::none);
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

void TableView::restore_layout() {
    restore_header(settings_key_, *horizontalHeader());
    remembering_ = true;
}

void TableView::save_layout() {
    if (remembering_ && model()) save_header(settings_key_, *horizontalHeader());
}

QList<int> TableView::selected_rows() const {
    QList<int> rows;
    for (const auto& index : selectionModel()->selectedRows()) rows << index.row();
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
    auto* tool = make_tool(QStringLiteral("columns"), tr("Columns"));
    connect(tool, &QToolButton::clicked, this,
            [this, tool] { columns_menu()->popup(tool->mapToGlobal(QPoint(0, tool->height()))); });
    return tool;
}

QMenu* TableView::columns_menu() {
    auto* menu = new QMenu(this);
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

void TableView::copy(Format format) {
    const auto rows = selected_rows();
    const auto columns = shown_columns();
    QString text;
    switch (format) {
        case Format::cell:
            text = currentIndex().data(kExportRole).toString();
            break;
        case Format::rows:
            text = to_text(*model(), rows, columns);
            break;
        case Format::csv:
            text = to_csv(*model(), rows, columns);
            break;
        case Format::json:
            text = to_json(*model(), rows, columns);
            break;
    }
    QGuiApplication::clipboard()->setText(text);
}

void TableView::keyPressEvent(QKeyEvent* event) {
    if (event->matches(QKeySequence::Copy))
        copy(selected_rows().size() > 1 ? Format::rows : Format::cell);
    else
        QTableView::keyPressEvent(event);
}

void TableView::contextMenuEvent(QContextMenuEvent* event) {
    if (!currentIndex().isValid()) return;
    QMenu menu(this);
    Q_EMIT about_to_show_menu(&menu);
    if (!menu.isEmpty()) menu.addSeparator();
    menu.addAction(icon(QStringLiteral("copy")), tr("Copy cell"), this,
                   [this] { copy(Format::cell); });
    menu.addAction(tr("Copy rows"), this, [this] { copy(Format::rows); });
    menu.addAction(tr("Copy as CSV"), this, [this] { copy(Format::csv); });
    menu.addAction(tr("Copy as JSON"), this, [this] { copy(Format::json); });
    menu.exec(event->globalPos());
}

}  // namespace snakepit::shm::ui
