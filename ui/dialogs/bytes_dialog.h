// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <memory>

#include "ui/dialogs/task_dialog.h"

class QCheckBox;
class QLineEdit;
class QTimer;

namespace snakepit::shm::ui {

class HexView;

// The bytes of a region, live: what changes is marked, the bytes at the cursor are shown as every
// type in both byte orders. Reads only. Of an audited region each look is recorded, so it is not
// followed unless somebody asks for that.
class BytesDialog : public TaskDialog {
    Q_OBJECT
  public:
    BytesDialog(Workspace& workspace, const RegionInfo& region, QWidget* parent);
    ~BytesDialog() override;  // ends a search

    HexView& view() { return *view_; }
    void go_to(const QString& offset);  // a number, also 0x…, or a size such as 4KiB
    void search(const QString& what);   // from behind the cursor on, and from the beginning
    void set_following(bool following);

  Q_SIGNALS:
    void read_done(bool done);
    void search_done(bool found);

  private:
    struct Reader;
    void build_tools();
    void build_values();
    void build_copy();
    void look();
    void show_values();
    void copy_selection(QString (*format)(const QByteArray&));

    RegionInfo region_;
    std::shared_ptr<Reader> reader_;  // shared with the worker
    HexView* view_;
    QTableWidget* values_;
    QLineEdit *offset_, *needle_;
    QCheckBox* follow_;
    QLabel* place_;
    QPushButton* copy_;
    QTimer *clock_, *soon_;
    bool looking_ = false, look_again_ = false, failed_ = false, searching_ = false;
    Background background_;  // last: its thread ends before the rest goes
};

}  // namespace snakepit::shm::ui
