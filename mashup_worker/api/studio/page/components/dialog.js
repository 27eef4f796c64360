/** Dialogs, which keep the focus inside and return it when they close. */

import { useEffect, useId, useRef } from "preact/hooks";

import { html } from "../html.js";
import { texts } from "../texts.js";
import { Button } from "./button.js";

/** @param {{title: string, onClose: () => void, children: any}} props */
export function Dialog({ title, onClose, children }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const id = useId();
  useEffect(() => {
    const element = dialog.current;
    const opener = document.activeElement;
    element?.showModal();
    return () => {
      element?.close();
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, []);
  /** @param {MouseEvent} event */
  const onClick = (event) => event.target === dialog.current && onClose();
  return html`<dialog class="dialog" ref=${dialog} aria-labelledby=${id} onClose=${onClose} onClick=${onClick}>
    <div class="dialog-head">
      <h2 id=${id}>${title}</h2>
      <${Button} kind="quiet" icon="close" label=${texts.shell.close} onClick=${onClose} />
    </div>
    <div class="dialog-body">${children}</div>
  </dialog>`;
}
