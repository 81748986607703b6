import { useMutation } from 'urql';
import { Field, Form } from '../form.tsx';
import { RequestPasswordResetDocument } from '../operations.ts';
import { Page } from '../page.tsx';
import { Link } from '../router.tsx';

export function ForgottenPassword() {
  const [, request] = useMutation(RequestPasswordResetDocument);
  return (
    <Page title="Forgotten password">
      {/* The same for every address, as the answer is: nobody learns here who has an account. */}
      <Form
        submit="Send the letter"
        done="If there is an account with this address, a letter is on its way."
        act={async ({ email = '' }) => (await request({ email })).error}
      >
        <Field
          name="email"
          label="Email address"
          type="email"
          autoComplete="email"
          hint="We send you a link with which you set a new password. It works for 30 minutes."
        />
      </Form>
      <p>
        <Link href="/sign-in">Back to sign-in</Link>
      </p>
    </Page>
  );
}
