// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStyledItemDelegate>
#include <QTableView>

class QToolButton;

namespace snakepit::shm::ui {

// Draws rows calmly: a hairline between them, states as chips, ids in monospace and elided in the
// middle, a bar at the edge of new rows, a line through those that are gone.
class RowDelegate : public QStyledItemDelegate {
    Q_OBJECT
  public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option,
               const QModelIndex& index) const override;
    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;

  private:
    // At the left of `rect`; where it ends.
    int paint_chip(QPainter* painter, const QStyleOptionViewItem& option, const QRect& rect,
                   const QString& text, int severity) const;
};

// The one table of the program: whole rows are selected, headers can be moved, hidden and sized and
// are remembered under `settings_key`, and what is selected can be copied as cell, rows, CSV or
// JSON.
class TableView : public QTableView {
    Q_OBJECT
  public:
    explicit TableView(const QString& settings_key, QWidget* parent = nullptr);

    // Shows these columns, in this order, unless something was remembered. The last one gets what
    // room is left: a column of text looks best there.
    void set_default_columns(const QList<int>& columns, const QList<int>& widths = {});
    // All of it for a table of its own: a sortable one begins in the model's own order.
    enum class Sorting { none, by_columns };
    void set_up(QAbstractItemModel* model, const QString& accessible_name,
                const QList<int>& columns, const QList<int>& widths,
                Sorting sorting = Sorting::none);
    // Last in setting up: what changes from then on is remembered.
    void restore_layout();
    QList<int> selected_rows() const;  // in the order shown; without those that are gone
    QList<int> shown_columns() const;  // in the order shown

    QToolButton* make_columns_tool();  // which columns are shown

  Q_SIGNALS:
    void about_to_show_menu(QMenu* menu);

  protected:
    void keyPressEvent(QKeyEvent* event) override;
    void contextMenuEvent(QContextMenuEvent* event) override;
    // Rows do not move under the pointer.
    void enterEvent(QEnterEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void rowsInserted(const QModelIndex& parent, int start, int end) override;
    void rowsAboutToBeRemoved(const QModelIndex& parent, int start, int end) override;

  private:
    using Format = QString (*)(const QAbstractItemModel&, const QList<int>&, const QList<int>&);
    void copy_cell();
    void copy_rows(Format format);
    void save_layout();
    void hold_rows(bool held);
    void scroll_by(int rows);
    QMenu* columns_menu();

    QString settings_key_;
    bool remembering_ = false;  // not before what was remembered has been restored
};

}  // namespace snakepit::shm::ui
