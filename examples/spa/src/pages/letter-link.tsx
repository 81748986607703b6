import { useState } from 'react';
import { type TypedDocumentNode, useMutation } from 'urql';
import { Form } from '../form.tsx';
import { ConfirmEmailChangeDocument, UndoEmailChangeDocument, VerifyEmailDocument } from '../operations.ts';
import { Page } from '../page.tsx';
import { LINK_TEXTS } from '../problems.ts';
import { Link, letterToken } from '../router.tsx';

interface Letter {
  readonly title: string;
  readonly text: string;
  readonly submit: string;
  readonly done: string;
  readonly mutation: TypedDocumentNode<unknown, { token: string }>;
}

/** By the paths that Credence writes into its letters, behind FRONTEND_URL. */
export const LETTER_LINKS: Readonly<Record<string, Letter>> = {
  '/verify-email': {
    title: 'Verify your address',
    text: 'This shows that the address is yours.',
    submit: 'Verify',
    done: 'Your address is verified.',
    mutation: VerifyEmailDocument,
  },
  '/confirm-email-change': {
    title: 'Confirm your new address',
    text: 'From now on this is the address of your account.',
    submit: 'Confirm',
    done: 'Your new address is in use.',
    mutation: ConfirmEmailChangeDocument,
  },
  '/undo-email-change': {
    title: 'Keep your old address',
    text: 'The account goes back to this address, and everybody who is signed in to it is signed out.',
    submit: 'Keep the old address',
    done: 'The account is back at its old address. Set a new password now.',
    mutation: UndoEmailChangeDocument,
  },
};

/** A button, because programs open the links of letters, too, to look for viruses. */
export function LetterLink({ link, isSignedIn }: { link: Letter; isSignedIn: boolean }) {
  const [token = ''] = useState(letterToken);
  const [, run] = useMutation(link.mutation);
  const [isDone, setDone] = useState(false);

  async function act() {
    const { error } = await run({ token });
    setDone(error === undefined);
    return error;
  }

  if (isDone) {
    return (
      <Page title={link.done}>
        <p>
          <Link href="/">{isSignedIn ? 'To your account' : 'To sign-in'}</Link>
        </p>
      </Page>
    );
  }
  return (
    <Page title={link.title}>
      <p>{link.text}</p>
      <Form submit={link.submit} act={act} says={LINK_TEXTS} />
    </Page>
  );
}
