import './dialog.css';

import { type ReactNode, useEffect, useRef } from 'react';

import { Icon } from './Icon';

interface DialogProps {
  title: string;
  testid: string;
  onClose: () => void;
  children: ReactNode;
}

/** A modal sheet on the browser's own dialog element: focus, Escape and the backdrop are the browser's. */
export function Dialog({ title, testid, onClose, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    return () => {
      dialog?.close();
    };
  }, []);
  return (
    <dialog
      ref={element}
      className="dialog"
      data-testid={testid}
      aria-label={title}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === element.current) onClose();
      }}
    >
      <div className="dialog-body">
        <header className="dialog-header">
          <h2>{title}</h2>
          <button type="button" className="icon-button" aria-label="Close" onClick={onClose}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
