//! What `--help` says: every option, with its default.

use super::Place;

#[test]
fn the_command_lists_its_subcommands() {
    insta::assert_snapshot!(Place::new().ok("--help"), @r"
Explains the predictions of any model, on the CPU or on any GPU

Usage: whylight <COMMAND>

Commands:
  demo     Explain a small model that is built in, to see what an explanation is
  explain  Explain the rows of a table by a model, from file to file or to the screen
  text     Explain texts, word by word, by a model that answers for them
  devices  List the devices, their limits, and which one `auto` takes and why
  bench    Measure how fast a model is explained
  help     Print this message or the help of the given subcommand(s)

Options:
  -h, --help     Print help
  -V, --version  Print version
");
}

#[test]
fn explain_lists_its_options() {
    insta::assert_snapshot!(Place::new().ok("explain -h"), @r#"
Explain the rows of a table by a model, from file to file or to the screen

Usage: whylight explain [OPTIONS] --data <FILE>

Options:
      --model <MODEL>              Model file: XGBoost JSON or UBJSON, LightGBM text, CatBoost JSON,
                                   ONNX, treelite checkpoint; or the address of a model that answers
                                   {"instances": [[…], …]} with {"predictions": […]}: http://… or
                                   https://…
      --model-command <COMMAND>    Program that is the model, with its arguments, such as "python
                                   model.py": it is started once, reads batches of rows from its
                                   standard input and writes what it answers to its standard output
      --model-format <FORMAT>      How rows go to the program, and answers come back: csv (the names
                                   of the columns; then for each batch a line with the number of
                                   rows, and a line for each; answered alike, with a line of outputs
                                   for each row), or arrow (an Arrow IPC stream each way, a record
                                   batch for each batch) [default: csv]
      --onnxruntime <LIBRARY>      Shared library of ONNX Runtime, which then runs the model, an
                                   ONNX file; without it, it runs those that whylight does not read
                                   itself, if `ORT_DYLIB_PATH` or the system names its library
      --timeout <SECONDS>          Seconds that a request to a model, or a batch of a program, may
                                   take [default: 60]
      --retries <N>                How often a request to a model is repeated, with longer and
                                   longer waits, after a connection that failed or a server that
                                   could not answer (status 429, or 500 and above) [default: 4]
      --rows-per-request <N>       Rows of a request to a model, or of a batch of a program, at most
                                   [default: 1000]
      --http-header <NAME: VALUE>  A header of requests to a model, such as "Authorization: Bearer
                                   …"; can be given several times
      --data <FILE>                Table with the rows to explain: .csv, .tsv, .npy, .parquet,
                                   .arrow
      --background <FILE>          Table with training rows, or a sample of them: what the features
                                   outside a coalition take their values from (interventional), or
                                   what covers are counted from (`path_dependent`, for a model file
                                   that stores none)
      --method <METHOD>            How to explain: auto (tree for trees, deep for an ONNX network
                                   that kernel would have to ask, kernel for any other model), tree
                                   (exact Tree SHAP), deep (Deep SHAP on the graph of an ONNX
                                   network, against a background), kernel (Kernel SHAP of what the
                                   model answers, against a background), lime (the coefficients of a
                                   linear model about each row, of samples drawn as the background
                                   is), mimic (a surrogate that learns what the model answers to the
                                   background, and is explained in its place), or permutation (how
                                   much worse the answers are once a column is shuffled; see
                                   --labels) [default: auto]
      --surrogate <WHICH>          What learns the model's answers to the background (mimic): trees
                                   (gradient boosted), linear, or auto (the one that answers best
                                   for the fifth of the rows that is held out) [default: auto]
      --nsamples <N>               Coalitions of an estimate, of each row: a number, or auto (2048
                                   and twice the number of features, or groups) [default: auto]
      --link <LINK>                What a coalition is worth, of the mean of what a model answers
                                   (kernel): identity, or logit (its log-odds) [default: identity]
      --seed <SEED>                The seed of estimates [default: 0]
      --value-function <WHICH>     What a coalition of features is worth: `path_dependent` (the
                                   others follow the rows of the training), interventional (they
                                   take the values of background rows), or auto: interventional
                                   where there is a background [default: auto]
      --interactions               Compute the interactions of all pairs of features, in place of
                                   the values
      --index <WHICH>              How a value weighs what a feature adds to each coalition:
                                   shapley, whose values add up, or banzhaf [default: shapley]
      --output <SPACE>             What the values add up to: raw (the margin), probability,
                                   response (the model's prediction, through its objective's link),
                                   or `log_loss` (for each label that could be the true one); all
                                   but raw take a background. With mimic: which of the model's
                                   answers are learned; the values add up to the surrogate's margin
                                   [default: raw]
      --estimator <WHICH>          How to compute what is no sum over trees: exact (up to 16
                                   features, or groups, that vary), sampled (with standard errors),
                                   auto (exact where that can be), or rescaled (from the margin's
                                   values: approximate); of Kernel SHAP also `regression_adjusted`
                                   (auto of a model that is asked), `shap_sampling` and permutation;
                                   of networks with deep `integrated_gradients` and
                                   `expected_gradients`, at --nsamples points [default: auto]
      --tolerance <NUMBER>         Largest standard error that a value should have, or of a network
                                   the largest completeness delta of a row, in the units of the
                                   output; see --nsamples and --fallback (kernel, deep)
      --group <GROUP>              Columns that play as one, such as a one-hot encoding, under a
                                   name: NAME=COLUMN,COLUMN,…; can be given several times
      --groups <FILE>              JSON file of groups: an object of names, each with a list of
                                   columns, or with an object of further names that all play as one
      --layer <NAME>               Layer of a network whose cells the values are of, by the name of
                                   its node or value in the file; the inputs by default (deep)
      --fallback <ESTIMATOR>       What rows whose completeness delta passes the tolerance are
                                   computed by: `integrated_gradients` or `expected_gradients`; they
                                   stay as they are by default (deep)
      --onnx-output <NAME>         Value of an ONNX graph to explain; its first output of numbers by
                                   default (deep)
      --input-shape <SHAPE>        Shape of one example of an input that the ONNX file leaves open:
                                   NAME=SIZE,SIZE,…; can be given several times; the table's columns
                                   tell one size by themselves (deep)
      --discretizer <WHICH>        What numbers are compared by: quartile, decile, entropy (bins
                                   that tell --training-labels apart), or none (they are
                                   quantities); quartile by default (lime)
      --training-labels <FILE>     Table of one column, the class of each row of --background, for
                                   the discretizer entropy (lime)
      --categorical <COL>          A column whose numbers are categories, by name, or by position
                                   from 1 where it has none; can be given several times (lime)
      --num-features <N>           Features of a row's model at most; all by default (lime)
      --num-samples <N>            Samples about a row; 5000 by default (lime)
      --kernel-width <NUMBER>      The distance at which a sample weighs exp(-1/2); 0.75 times the
                                   root of the number of features by default (lime)
      --feature-selection <WHICH>  How features are chosen: auto, `forward_selection`,
                                   `highest_weights`, `lasso_path` or none; auto by default (lime)
      --sample-around-instance     Draw samples around each row, with the discretizer none (lime)
      --used-only                  Leave out the features that no split of the trees tests, whose
                                   values are 0
      --drop <COL>                 A column of the tables to leave out, by name, or by position from
                                   1 where they have none; can be given several times
      --header <HEADER>            Whether a CSV file begins with column names [default: auto]
                                   [possible values: auto, yes, no]
      --iterations <WHICH>         The boosting iterations to explain: all, best (up to the one that
                                   early stopping chose), or A..B, counted from 0, without B
                                   [default: all]
      --labels <COL>               Column of the rows that holds the true labels: numbers, or the
                                   names or numbers of classes (permutation)
      --metric <NAME>              How answers are scored, by the name that scikit-learn has for it,
                                   such as accuracy, `f1_macro`, `roc_auc`, `log_loss`,
                                   `mean_squared_error` or r2; by default `f1_micro` of classifiers,
                                   `mean_absolute_error` of others (permutation)
      --repeats <N>                How often each column is shuffled; 5 by default (permutation)
      --strata <COL>               A column within whose values rows are shuffled, so that they keep
                                   what goes with it; can be given several times (permutation)
      --device <DEVICE>            Where to compute: auto, cpu, gpu, or gpu:N as `whylight devices`
                                   numbers them [default: auto]
      --out <FILE>                 File to write: .json (the whole result), .npy (the values),
                                   .parquet, .arrow or .csv (a row per explained row, of permutation
                                   .csv with a row per feature); without it, the ranking and the
                                   first rows are shown
      --threads <N>                CPU threads; all by default
      --memory-limit <SIZE>        Memory that rows and their values may take, such as 512MiB
      --additivity-rows <N>        Rows whose values are held against the model's float64 margin: a
                                   number, or all
      --sp <N>                     Of the explained rows, keep N that cover the most of what the
                                   model does, by SP-LIME (lime)
  -h, --help                       Print help (see more with '--help')
"#);
}

#[test]
fn bench_lists_its_options() {
    insta::assert_snapshot!(Place::new().ok("bench -h"), @r#"
Measure how fast a model is explained

Usage: whylight bench [OPTIONS] --data <FILE>

Options:
      --model <MODEL>              Model file: XGBoost JSON or UBJSON, LightGBM text, CatBoost JSON,
                                   ONNX, treelite checkpoint; or the address of a model that answers
                                   {"instances": [[…], …]} with {"predictions": […]}: http://… or
                                   https://…
      --model-command <COMMAND>    Program that is the model, with its arguments, such as "python
                                   model.py": it is started once, reads batches of rows from its
                                   standard input and writes what it answers to its standard output
      --model-format <FORMAT>      How rows go to the program, and answers come back: csv (the names
                                   of the columns; then for each batch a line with the number of
                                   rows, and a line for each; answered alike, with a line of outputs
                                   for each row), or arrow (an Arrow IPC stream each way, a record
                                   batch for each batch) [default: csv]
      --onnxruntime <LIBRARY>      Shared library of ONNX Runtime, which then runs the model, an
                                   ONNX file; without it, it runs those that whylight does not read
                                   itself, if `ORT_DYLIB_PATH` or the system names its library
      --timeout <SECONDS>          Seconds that a request to a model, or a batch of a program, may
                                   take [default: 60]
      --retries <N>                How often a request to a model is repeated, with longer and
                                   longer waits, after a connection that failed or a server that
                                   could not answer (status 429, or 500 and above) [default: 4]
      --rows-per-request <N>       Rows of a request to a model, or of a batch of a program, at most
                                   [default: 1000]
      --http-header <NAME: VALUE>  A header of requests to a model, such as "Authorization: Bearer
                                   …"; can be given several times
      --data <FILE>                Table with the rows to explain: .csv, .tsv, .npy, .parquet,
                                   .arrow
      --background <FILE>          Table with training rows, or a sample of them: what the features
                                   outside a coalition take their values from (interventional), or
                                   what covers are counted from (`path_dependent`, for a model file
                                   that stores none)
      --method <METHOD>            How to explain: auto (tree for trees, deep for an ONNX network
                                   that kernel would have to ask, kernel for any other model), tree
                                   (exact Tree SHAP), deep (Deep SHAP on the graph of an ONNX
                                   network, against a background), kernel (Kernel SHAP of what the
                                   model answers, against a background), lime (the coefficients of a
                                   linear model about each row, of samples drawn as the background
                                   is), mimic (a surrogate that learns what the model answers to the
                                   background, and is explained in its place), or permutation (how
                                   much worse the answers are once a column is shuffled; see
                                   --labels) [default: auto]
      --surrogate <WHICH>          What learns the model's answers to the background (mimic): trees
                                   (gradient boosted), linear, or auto (the one that answers best
                                   for the fifth of the rows that is held out) [default: auto]
      --nsamples <N>               Coalitions of an estimate, of each row: a number, or auto (2048
                                   and twice the number of features, or groups) [default: auto]
      --link <LINK>                What a coalition is worth, of the mean of what a model answers
                                   (kernel): identity, or logit (its log-odds) [default: identity]
      --seed <SEED>                The seed of estimates [default: 0]
      --value-function <WHICH>     What a coalition of features is worth: `path_dependent` (the
                                   others follow the rows of the training), interventional (they
                                   take the values of background rows), or auto: interventional
                                   where there is a background [default: auto]
      --interactions               Compute the interactions of all pairs of features, in place of
                                   the values
      --index <WHICH>              How a value weighs what a feature adds to each coalition:
                                   shapley, whose values add up, or banzhaf [default: shapley]
      --output <SPACE>             What the values add up to: raw (the margin), probability,
                                   response (the model's prediction, through its objective's link),
                                   or `log_loss` (for each label that could be the true one); all
                                   but raw take a background. With mimic: which of the model's
                                   answers are learned; the values add up to the surrogate's margin
                                   [default: raw]
      --estimator <WHICH>          How to compute what is no sum over trees: exact (up to 16
                                   features, or groups, that vary), sampled (with standard errors),
                                   auto (exact where that can be), or rescaled (from the margin's
                                   values: approximate); of Kernel SHAP also `regression_adjusted`
                                   (auto of a model that is asked), `shap_sampling` and permutation;
                                   of networks with deep `integrated_gradients` and
                                   `expected_gradients`, at --nsamples points [default: auto]
      --tolerance <NUMBER>         Largest standard error that a value should have, or of a network
                                   the largest completeness delta of a row, in the units of the
                                   output; see --nsamples and --fallback (kernel, deep)
      --group <GROUP>              Columns that play as one, such as a one-hot encoding, under a
                                   name: NAME=COLUMN,COLUMN,…; can be given several times
      --groups <FILE>              JSON file of groups: an object of names, each with a list of
                                   columns, or with an object of further names that all play as one
      --layer <NAME>               Layer of a network whose cells the values are of, by the name of
                                   its node or value in the file; the inputs by default (deep)
      --fallback <ESTIMATOR>       What rows whose completeness delta passes the tolerance are
                                   computed by: `integrated_gradients` or `expected_gradients`; they
                                   stay as they are by default (deep)
      --onnx-output <NAME>         Value of an ONNX graph to explain; its first output of numbers by
                                   default (deep)
      --input-shape <SHAPE>        Shape of one example of an input that the ONNX file leaves open:
                                   NAME=SIZE,SIZE,…; can be given several times; the table's columns
                                   tell one size by themselves (deep)
      --discretizer <WHICH>        What numbers are compared by: quartile, decile, entropy (bins
                                   that tell --training-labels apart), or none (they are
                                   quantities); quartile by default (lime)
      --training-labels <FILE>     Table of one column, the class of each row of --background, for
                                   the discretizer entropy (lime)
      --categorical <COL>          A column whose numbers are categories, by name, or by position
                                   from 1 where it has none; can be given several times (lime)
      --num-features <N>           Features of a row's model at most; all by default (lime)
      --num-samples <N>            Samples about a row; 5000 by default (lime)
      --kernel-width <NUMBER>      The distance at which a sample weighs exp(-1/2); 0.75 times the
                                   root of the number of features by default (lime)
      --feature-selection <WHICH>  How features are chosen: auto, `forward_selection`,
                                   `highest_weights`, `lasso_path` or none; auto by default (lime)
      --sample-around-instance     Draw samples around each row, with the discretizer none (lime)
      --used-only                  Leave out the features that no split of the trees tests, whose
                                   values are 0
      --drop <COL>                 A column of the tables to leave out, by name, or by position from
                                   1 where they have none; can be given several times
      --header <HEADER>            Whether a CSV file begins with column names [default: auto]
                                   [possible values: auto, yes, no]
      --iterations <WHICH>         The boosting iterations to explain: all, best (up to the one that
                                   early stopping chose), or A..B, counted from 0, without B
                                   [default: all]
      --rows <N>                   Rows to explain: the first N, the table's rows over and over
                                   where it has fewer; all by default
      --threads <T>                CPU threads; all by default
      --device <DEVICE>            Where to compute: auto, cpu, gpu, gpu:N, or all (the CPU and
                                   every GPU, compared) [default: auto]
      --repeats <R>                Repeats of each measurement, at the least; medians are printed
                                   [default: 5]
      --json                       Print one JSON object
  -h, --help                       Print help (see more with '--help')
"#);
}

#[test]
fn demo_lists_its_options() {
    insta::assert_snapshot!(Place::new().ok("demo -h"), @r"
Explain a small model that is built in, to see what an explanation is

Usage: whylight demo [OPTIONS]

Options:
      --out <DIR>  Folder for explanation.json [default: .]
  -h, --help       Print help
");
}

#[test]
fn the_version_is_the_crates() {
    let version = Place::new().ok("--version");
    assert_eq!(
        version.trim(),
        concat!("whylight ", env!("CARGO_PKG_VERSION"))
    );
}

#[cfg(feature = "text")]
#[test]
fn text_lists_its_options() {
    insta::assert_snapshot!(Place::new().ok("text -h"), @r#"
Explain texts, word by word, by a model that answers for them

Usage: whylight text [OPTIONS] --corpus <FILE>

Options:
      --teacher <MODEL>            The model: its address, http://… or https://…, which answers
                                   {"instances": ["…", …]} with {"predictions": […]}; or an ONNX
                                   classifier of tokens, with --tokenizer
      --teacher-command <COMMAND>  Program that is the model, with its arguments, such as "python
                                   model.py": it is started once, reads batches of texts from its
                                   standard input and writes what it answers to its standard output
      --teacher-format <FORMAT>    How texts go to the program, and answers come back: csv (the name
                                   of the column; then for each batch a line with the number of
                                   texts, and each text in quotes, which may span lines; answered
                                   with the number, and a line of outputs for each), or arrow (an
                                   Arrow IPC stream each way, a record batch for each batch)
                                   [default: csv]
      --tokenizer <FILE>           A tokenizer.json: that of the ONNX classifier, and of --players
                                   tokens
      --probability                Take the softmax of what the ONNX classifier answers, or of one
                                   output the logistic function
      --onnxruntime <LIBRARY>      Shared library of ONNX Runtime, which runs the ONNX classifier;
                                   else `ORT_DYLIB_PATH` or the system names it
      --timeout <SECONDS>          Seconds that a request to a model, or a batch of a program, may
                                   take [default: 60]
      --retries <N>                How often a request to a model is repeated, with longer and
                                   longer waits, after a connection that failed or a server that
                                   could not answer (status 429, or 500 and above) [default: 4]
      --rows-per-request <N>       Rows of a request to a model, or of a batch of a program, at most
                                   [default: 1000]
      --http-header <NAME: VALUE>  A header of requests to a model, such as "Authorization: Bearer
                                   …"; can be given several times
      --teacher-column <COL>       Column with what the model answers to each text, in place of the
                                   model; can be given several times, for several outputs (han)
      --embeddings <FILE>          Word vectors: the text of `GloVe` or word2vec, .parquet, or .npy
                                   with --embedding-words; without them the surrogate learns its own
                                   (han)
      --embedding-words <FILE>     The words of vectors in an .npy file: a text with one in each
                                   line, or a table (han)
      --train-epochs <N>           Epochs of the surrogate's training at most; 6 by default, more of
                                   small corpora (han)
      --tune-epochs <N>            Epochs of 40 texts of each document that the model is asked for
                                   to correct the surrogate, up to 50; 0 takes it as it is (han)
                                   [default: 5]
      --surrogate <DIR>            Folder of the surrogate: it is read where there is one, else
                                   trained and written there (han)
      --device <DEVICE>            Where to train: auto, cpu, gpu, or gpu:N as `whylight devices`
                                   numbers them (han) [default: auto]
      --corpus <FILE>              The texts: a table (.csv, .tsv, .parquet, .arrow), or .txt with
                                   one in each line
      --column <COL>               The column of the texts in the table [default: text]
      --method <METHOD>            How to explain: auto (kernel; lime for texts of more than 256
                                   words, or more than --nsamples suffice for, and hierarchical
                                   beyond 2000), kernel (Kernel SHAP of the players), hierarchical
                                   (Kernel SHAP of passages, then of the words in those that matter
                                   most), lime, leave-one-out, han (a surrogate that learns what the
                                   model answers to the corpus; auto with --teacher-column,
                                   --embeddings or --surrogate), or random (numbers that know
                                   nothing of the model) [default: auto]
      --players <WHO>              Who plays: words, distinct (all places of a word as one),
                                   sentences, tokens (of --tokenizer), or auto (distinct for lime,
                                   else words) [default: auto]
      --mask <TEXT>                What stands for an absent word, such as [MASK]; without it, the
                                   word is taken out
      --nsamples <N>               Texts that the model is asked for, of each document: a number of
                                   at least 4; without it 2048 and twice the number of players, at
                                   most 4096 for hierarchical, 5000 for lime
      --seed <SEED>                The seed of estimates [default: 0]
      --classes <NAMES>            The names of the model's outputs, in their order, between commas
      --out <FILE>                 File to write: .parquet, .arrow, .csv or .json (a row for each
                                   document, output and word), or .html (the texts, with their words
                                   highlighted); without it, the ranking and the first documents are
                                   shown
      --threads <N>                CPU threads; all by default
  -h, --help                       Print help
"#);
}
